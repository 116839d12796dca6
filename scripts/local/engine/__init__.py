"""The component chat_completion_pipeline for real: `python -m scripts.local.engine <job folder>` runs its five steps.

validation    ft_nlp_common_validation: parameters and files (strings on the wire -> checked values)
model_import  chat_completion_model_import: the base model as a folder (smollm2: the stand-in; gguf: what it comes in)
preprocess    chat_completion_datapreprocess: files -> tokens (rows: file formats)
finetune      chat_completion_finetune: the loop (packed, lora: arithmetic; step_plan; checkpoints; mlflow_metrics;
              threads: what the neighbours leave)
converter     ft_nlp_model_converter: the MLflow model

job_folder is what all of them read and write, process how the libraries are kept quiet and how all of it ends early.
tests/bench/engine.py compares it with plain transformers, NOTES.md has what was learned from that.
"""
