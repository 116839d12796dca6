"""The scoring server: `python -m scripts.local.scoring --model-dir DIR --port P --log FILE` answers POST /score.

contract.py   the request and response of a chat model's deployment, checked    app.py       the routes
batcher.py    continuous batching: who is answered when                         generator.py tokens, many at a time
cache.py      keys and values of the conversations being answered               sampling.py  the next token
"""
