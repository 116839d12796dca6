"""A model's tokenizer over `tokenizers` and Jinja alone: 50 ms and 10 MB, where transformers takes 3 s and 150 MB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.conversation import model_folder, template
from scripts.files import read_json

FILE, SETTINGS = "tokenizer.json", "tokenizer_config.json"
# The classes that transformers loads from tokenizer.json as it is; others build a tokenizer of their own from it.
AS_IT_IS = ("TokenizersBackend", "PreTrainedTokenizerFast")


def faithful(folder: Path) -> bool:
    """Whether this reads a folder's tokenizer exactly as transformers does."""
    settings = read_json(folder / SETTINGS, model_folder.ANEW, dict[str, Any]) or {}
    return (
        (folder / FILE).is_file()
        and settings.get("tokenizer_class") in AS_IT_IS
        and not settings.get("clean_up_tokenization_spaces")
    )


class Tokenizer:
    """What scripts/conversation/tokens.py and a server need of a tokenizer."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer as Rust

        self._rust = Rust.from_file(str(folder / FILE))
        self._rust.no_truncation()
        self._rust.no_padding()
        settings = read_json(folder / SETTINGS, model_folder.ANEW, dict[str, Any]) or {}
        self.chat_template = template.read(folder)
        added = {each: token for each, token in self._rust.get_added_tokens_decoder().items() if token.special}
        self.all_special_ids = list(added)
        self.special_tokens = [token.content for token in added.values()]
        limit = settings.get("model_max_length")
        self.model_max_length = int(limit) if isinstance(limit, int | float) and 0 < limit < 10**7 else None
        names = ("bos_token", "eos_token", "unk_token", "pad_token")
        self._special = {each: _content(settings[each]) for each in names if settings.get(each)}
        self._render: Callable[..., str] | None = None

    @property
    def eos_token_id(self) -> int | None:
        """The token that ends a text."""
        token = self._special.get("eos_token")
        return None if token is None else self._rust.token_to_id(token)

    def apply_chat_template(self, messages: list[dict[str, Any]], tools: Any = None, tokenize: bool = False,
                            add_generation_prompt: bool = False) -> str:  # fmt: skip
        """Renders a conversation as transformers does: same Jinja settings, same functions."""
        if tokenize:
            raise ValueError("only text is rendered here; call the tokenizer for tokens")
        if self._render is None:
            self._render = template.renderer(self.chat_template or "")
        return self._render(messages=messages, tools=tools, documents=None, add_generation_prompt=add_generation_prompt,
                            **self._special)  # fmt: skip

    def __call__(
        self, text: str, add_special_tokens: bool = False, return_offsets_mapping: bool = False
    ) -> dict[str, Any]:
        """Returns `input_ids`, and with `return_offsets_mapping` where in the text each token stands."""
        encoding = self._rust.encode(text, add_special_tokens=add_special_tokens)
        offsets = {"offset_mapping": encoding.offsets} if return_offsets_mapping else {}
        return {"input_ids": encoding.ids, **offsets}

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Returns the text of tokens."""
        return str(self._rust.decode(tokens, skip_special_tokens=skip_special_tokens))

    def get_vocab(self) -> Iterator[str]:
        """Gives every token; transformers makes a dictionary of them, which takes 10 MB."""
        return filter(None, map(self._rust.id_to_token, range(self._rust.get_vocab_size())))


def _content(token: Any) -> str:
    return token["content"] if isinstance(token, dict) else str(token)
