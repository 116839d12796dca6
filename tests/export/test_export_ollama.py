"""Ollama's template, which writes what the model's own does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scripts.export import conversations, ollama, proof, vocabulary
from scripts.values.read import load
from tests.export import tokenizers_of
from tests.export.tiny import parsed


def gone(template: str, messages: list[dict[str, str]]) -> str:
    """Renders what Ollama would: the few words of Go's templates that are used here, as Jinja."""
    import jinja2

    words = {
        "if not .System": "{% if not system %}",
        "range .Messages": "{% for message in messages %}",
        ".Content": "{{ message.content }}",
        "if eq .Role": "{% if message.role == {} %}",
        "else if eq .Role": "{% elif message.role == {} %}",
    }  # fmt: skip
    opened: list[str] = []

    def jinja(match: re.Match[str]) -> str:
        said, _, role = match[1].partition(' "')
        if said == "end":
            return opened.pop()
        if said.startswith(("if", "range")):
            opened.append("{% endif %}" if said.startswith("if") else "{% endfor %}")
        return words[said].replace("{}", f'"{role}')

    source = re.sub(r"\{\{ (.*?) \}\}", jinja, template)
    system = any(message["role"] == "system" for message in messages)
    return jinja2.Environment(keep_trailing_newline=True).from_string(source).render(messages=messages, system=system)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("make", [tokenizers_of.smollm, tokenizers_of.cl100k, tokenizers_of.sentencepiece])
def test_ollamas_template_writes_what_the_models_own_does(tmp_path: Path, make: Any) -> None:
    tokenizer = make()
    words = vocabulary.read(tokenizer, len(tokenizer), [tokenizer.eos_token_id])
    chosen = conversations.choose("nothing", words, tmp_path).conversations
    asked = [each.question for each in proof.expected(tokenizer, chosen, system_role=True)]

    def render(messages: list[dict[str, Any]]) -> str:
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    turns = ollama.turns(render, asked)
    assert turns
    template = parsed(ollama.modelfile("f", turns, load("demo").data["request"], 9, ["s"]))["TEMPLATE"][0]
    assert all(gone(template, messages) == render(messages) for messages in asked)


@pytest.mark.parametrize("template", [
    "{{ messages[0]['content'] }}{{ messages[-1]['content'] }}",  # twice the same
    "{% for message in messages %}[{{ message['content'] | trim }}]{% endfor %}",
    "{% for message in messages %}{{ '{{ ' + message['content'] }}{% endfor %}",
    "{% for message in messages %}{{ '{' + message['content'] }}{% endfor %}",
    "{{ raise_exception('no') }}",
])  # fmt: skip
def test_a_template_that_is_not_made_of_turns_gets_none(template: str) -> None:
    from scripts.conversation.template import renderer

    render = renderer(template)
    assert ollama.turns(lambda messages: render(messages=messages), [[{"role": "user", "content": " a "}]]) is None
    assert "TEMPLATE" not in parsed(ollama.modelfile("f", None, load("demo").data["request"], 9, []))
