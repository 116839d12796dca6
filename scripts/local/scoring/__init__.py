"""The scoring server: `python -m scripts.local.scoring --model-dir DIR --port P --log FILE` answers POST /score.

contract   the server's reading of a request                            app       the routes
scorer     the same as Azure's no-code MLflow scorer reads it
batcher    continuous batching: who is answered when                    generator tokens, for many at a time
llama      a model of Llama's shape, without transformers               transformed any other one, with it
cache      keys and values of the conversations being answered          blocked   weights in the processor's order
"""
