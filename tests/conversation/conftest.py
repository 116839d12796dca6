"""The tokenizer of a tiny model, as transformers loads it."""

from tests.tiny_models import tiny, tokenizer

__all__ = ["tiny", "tokenizer"]
