"""The scoring server: `python -m scripts.local.scoring --model-dir DIR --port P --log FILE` answers POST /score.

contract   the server's reading of a request                            app       the routes
scorer     the same as Azure's no-code MLflow scorer reads it
batcher    continuous batching: who is answered when                    generator tokens, for many at a time
cache      keys and values of the conversations being answered
"""
