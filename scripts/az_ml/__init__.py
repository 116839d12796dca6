"""The `az ml` verbs that this project uses, on azure-ai-ml alone: `python -m scripts.az_ml` stands where `az` stands.

Options, printed shapes, texts and exit codes are those of Azure CLI 2.91 with the `ml` extension, measured command by
command. Where that prints a traceback or hides the cause, one sentence is printed instead, with the same exit code.
What else the official CLI has is refused, and the official CLI named.
"""
