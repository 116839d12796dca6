"""Whether a model folder still has the chat template that its training used.

Without it a server falls back on joining texts, or on nothing, and a well-trained model answers badly: the most common
way to lose a fine-tuning between training and serving.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.errors import UserError

CONVERSATION = (
    {"role": "user", "content": "What is the first question?"},
    {"role": "assistant", "content": "This is the first answer."},
    {"role": "user", "content": "And what is the second?"},
)


def check(model_dir: Path) -> str:
    """Returns the chat template of a model folder (MLflow's or transformers'); a `UserError` if it is lost or deaf.

    Deaf is a template that leaves out what was said. Only text files are read, so that a registration stays fast.
    """
    folders = [folder for folder in (model_dir, *_inside(model_dir)) if (folder / "tokenizer_config.json").is_file()]
    if not folders:
        raise UserError(
            f"{model_dir}: no tokenizer_config.json in it, so nobody can say how a conversation becomes tokens"
        )
    template = next((found for folder in folders if (found := read(folder))), None)
    if template is None:
        raise UserError(
            f"{folders[0]}: the chat template was lost: neither chat_template.jinja nor `chat_template` in "
            "tokenizer_config.json; save the tokenizer that the training used into the model's folder"
        )
    written = _write(template, folders[0])
    missing = [message["content"] for message in CONVERSATION if message["content"] not in written]
    if missing:
        raise UserError(
            f"{folders[0]}: the chat template leaves out {missing[0]!r} of a conversation, so the model would not be asked "
            "what the user asked; restore the template that the training used"
        )
    return template


def read(folder: Path) -> str | None:
    """Returns the chat template of one folder from either place where transformers keeps it, else None."""
    file = folder / "chat_template.jinja"
    if file.is_file() and (text := file.read_text(encoding="utf-8")).strip():
        return text
    found: Any = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template")
    if isinstance(found, list):  # several named ones; `default` is what is used when nobody names one
        found = next((each["template"] for each in found if each.get("name") == "default"), None)
    return found or None


def _inside(model_dir: Path) -> list[Path]:
    """MLflow's transformers flavour keeps the tokenizer apart from the weights."""
    places = ("model", "data/model", "components/tokenizer", "data/components/tokenizer")
    return [model_dir / place for place in places]


def _write(template: str, folder: Path) -> str:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals |= {"raise_exception": raise_exception, "strftime_now": lambda _: ""}
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    words = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    try:
        return environment.from_string(_without_generation(template)).render(
            messages=list(CONVERSATION), add_generation_prompt=True, tools=None, documents=None, **words
        )
    except jinja2.TemplateError as error:
        raise UserError(
            f"{folder}: the chat template does not work ({' '.join(str(error).split())}); restore the one that the "
            "training used"
        ) from None


def _without_generation(template: str) -> str:
    """Takes transformers' own `{% generation %}` marks out; plain Jinja does not know them."""
    import re

    return re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", template)
