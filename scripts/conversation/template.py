"""A chat template: how a conversation becomes text, rendered as transformers does, without importing it (3 s).

And whether a model folder still has the one that its training used: without it a server falls back on joining texts, or
on nothing, and a well-trained model answers badly: the most common way to lose a fine-tuning before it serves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.conversation import model_folder
from scripts.errors import UserError, one_line
from scripts.files import read_json, read_text, refuse

CONVERSATION = (
    {"role": "user", "content": "What is the first question?"},
    {"role": "assistant", "content": "This is the first answer."},
    {"role": "user", "content": "And what is the second?"},
)
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}


def read(folder: Path) -> str | None:
    """Returns the chat template of a tokenizer's folder from either place where transformers keeps it, else None."""
    file = folder / "chat_template.jinja"
    if (text := read_text(file, model_folder.ANEW) or "").strip():
        return text
    config = folder / "tokenizer_config.json"
    template: Any = (read_json(config, model_folder.ANEW, dict[str, Any]) or {}).get("chat_template")
    if isinstance(template, list):  # several named ones; `default` is what is used when nobody names one
        named = (each for each in template if isinstance(each, dict) and each.get("name") == "default")
        template = next(named, {}).get("template")
    if not isinstance(template, str | None):
        refuse(config, f"chat_template: found {template!r:.60}, expected text", model_folder.ANEW)
    return template or None


def renderer(source: str) -> Callable[..., str]:
    """Returns what writes a conversation by a template: `render(messages=…, tools=…, add_generation_prompt=…, …)`.

    Sandbox, functions and the mark `{% generation %}` are those of transformers, and so is the error: jinja2's, with
    the template's own words where it refuses a conversation.
    """
    import datetime

    import jinja2
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}…{% endgeneration %}` marks an answer for trainers; what it holds is written as it is."""

        tags = {"generation"}  # noqa: RUF012 - as jinja2 declares it

        def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
            line = next(parser.stream).lineno
            inside = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return jinja2.nodes.Scope(inside).set_lineno(line)

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def to_json(value: Any, **options: Any) -> str:
        return json.dumps(value, **{"ensure_ascii": False, **options})

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals |= {
        "raise_exception": raise_exception,
        "strftime_now": lambda form: datetime.datetime.now().strftime(form),
    }
    return environment.from_string(source).render


def check(model_dir: Path) -> str:
    """Returns the chat template of a model folder (MLflow's or transformers'); a `UserError` if it is lost or deaf.

    Deaf is a template that leaves out what was said. Only text files are read, so that a registration stays fast.
    """
    folders = model_folder.tokenizers(model_dir)
    if not folders:
        raise UserError(
            f"{model_dir}: no tokenizer_config.json in it, so nobody can say how a conversation becomes tokens"
        )
    template = next(filter(None, map(read, folders)), None)
    if template is None:
        raise UserError(
            f"{folders[0]}: the chat template was lost: neither chat_template.jinja nor `chat_template` in "
            "tokenizer_config.json; save the tokenizer that the training used into the model's folder"
        )
    import jinja2

    said = {"messages": list(CONVERSATION), "tools": None, "documents": None, "add_generation_prompt": True}
    try:
        written = renderer(template)(**said, **SPECIAL_TOKENS)
    except jinja2.TemplateError as error:
        raise UserError(
            f"{folders[0]}: the chat template does not work ({one_line(error)}); restore the one that the training used"
        ) from None
    missing = [message["content"] for message in CONVERSATION if message["content"] not in written]
    if missing:
        raise UserError(
            f"{folders[0]}: the chat template leaves out {missing[0]!r} of a conversation, so the model would not be "
            "asked what the user asked; restore the template that the training used"
        )
    return template
