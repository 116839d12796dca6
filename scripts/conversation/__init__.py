"""What a chat is, one definition each, for the trainer, the scoring server, the data report, and all who ask a model.

template.py   from a conversation to text      tokens.py   to tokens, and which of them are trained
tokenizer.py  a tokenizer without transformers
request.py    what an endpoint is asked        answer.py   what it answers, whole or streamed
held_out.py   questions with a true answer     endpoint.py the deployed model as a client sees it
model_folder.py  where a model's weights, tokenizer and description lie
"""
