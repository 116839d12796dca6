"""The tuned model as transformers lays it out: weights with the adapters merged in, tokenizer, chat template."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.conversation import model_folder
from scripts.errors import FILE, UserError, one_line
from scripts.files import read_json, refuse
from scripts.local.engine import lora, model_import

TAKEN = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")


@dataclass(frozen=True)
class Source:
    """A model's files: weights, tokenizer (which Azure's converter keeps apart), and what it says of itself."""

    weights: Path
    tokenizer: Path
    system_role: bool

    def load_tokenizer(self) -> Any:
        """Loads the tokenizer as transformers does."""
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(self.tokenizer)
        except (ValueError, OSError) as error:  # a damaged tokenizer.json, or none
            refuse(self.tokenizer, f"its tokenizer cannot be read ({one_line(error)[:120]})", model_folder.ANEW)

    def ends(self, tokenizer: Any) -> list[int]:
        """Returns the tokens at which the endpoint stops, the tokenizer's own first."""
        kept = (self.weights / name for name in ("generation_config.json", "config.json"))
        said: dict[str, Any] = next(filter(None, (read_json(each, model_folder.ANEW, dict[str, Any]) for each in kept)))
        found = said.get("eos_token_id")
        listed = found if isinstance(found, list) else [found]
        return [end for end in dict.fromkeys([tokenizer.eos_token_id, *listed]) if end is not None]


def read(folder: Path, merged: Path) -> Source:
    """Returns a model's files in safetensors; where adapters lie beside the weights, both are written into `merged`."""
    weights = model_import.weights_in(folder)
    tokenizers = model_folder.tokenizers(folder)
    if not tokenizers:
        raise UserError(f"{folder}: no tokenizer in it (tokenizer_config.json); {model_folder.ANEW}")
    if (folder / model_folder.ADAPTER).is_dir() or not any(weights.glob("*.safetensors")):
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM

        try:
            model = lora.merged(AutoModelForCausalLM.from_pretrained(weights, dtype="auto"), folder)
        except OSError as error:
            refuse(weights, f"its weights cannot be read ({one_line(error)[:120]})", model_folder.ANEW)
        try:
            model.save_pretrained(merged)
        except SafetensorError as error:  # a full disk is none of Python's errors there
            raise UserError(f"{merged}: not all was written ({one_line(error)}); make room on the disk", FILE) from None
        weights = merged
    return Source(weights, tokenizers[0], model_folder.system_role_supported(folder))


def write(source: Source, folder: Path) -> None:
    """Copies the files into `folder`."""
    folder.mkdir()
    for place in (source.tokenizer, source.weights):
        for pattern in TAKEN:
            for path in place.glob(pattern):
                shutil.copy2(path, folder / path.name)
