"""Takes a tuned model home: a file for llama.cpp and Ollama that is proven to read text as the model does."""
