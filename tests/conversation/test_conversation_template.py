"""The renderer is transformers' own, without it; and a model folder whose chat template was lost is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest

from scripts.conversation import template
from scripts.errors import UserError

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def folder(tmp_path: Path, inside: str = "model", jinja: str | None = None, **config: object) -> Path:
    place = tmp_path / inside
    place.mkdir(parents=True)
    (place / "tokenizer_config.json").write_text(json.dumps(config))
    if jinja is not None:
        (place / "chat_template.jinja").write_text(jinja)
    return tmp_path


@pytest.mark.parametrize("inside", [".", "model", "components/tokenizer"])
def test_both_places_of_a_template_count(tmp_path: Path, inside: str) -> None:
    assert template.check(folder(tmp_path / "a", inside, jinja=CHATML)) == CHATML
    assert template.check(folder(tmp_path / "b", inside, chat_template=CHATML)) == CHATML
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": CHATML}]
    assert template.check(folder(tmp_path / "c", inside, chat_template=named)) == CHATML


def test_generation_marks_are_no_fault(tmp_path: Path) -> None:
    marked = "{% for m in messages %}{% generation %}{{ m.content }}{%- endgeneration -%}{% endfor %}"
    assert template.check(folder(tmp_path, jinja=marked)) == marked


@pytest.mark.parametrize(("jinja", "words"), [
    (None, "chat template was lost"),
    ("  ", "chat template was lost"),
    ("{% for m in messages %}{{ m.content }", "does not work"),
    ("{{ messages[0].content }}", "leaves out 'This is the first answer.'"),
    ("{{ raise_exception('no') }}", "does not work"),
])  # fmt: skip
def test_a_lost_or_deaf_template_is_refused(tmp_path: Path, jinja: str | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        template.check(folder(tmp_path, jinja=jinja))


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no tokenizer_config\.json"):
        template.check(tmp_path)


SYSTEM = {"role": "system", "content": "Be brief."}
TALK = [SYSTEM, {"role": "user", "content": "Größe?\n"}, {"role": "assistant", "content": "<b>groß</b> 😀"}]
TOOLS = [{"type": "function", "function": {"name": "größe", "description": "<&>", "parameters": {"b": 1, "a": [2]}}}]
TEMPLATES = (
    CHATML,
    "{{ bos_token }}{% for m in messages %}\n  {% if loop.first %}{% continue %}{% endif %}\n{{ m }}\n{% endfor %}",
    "{% for m in messages %}\n{% generation %}\n{{ m.content }}\n{%- endgeneration -%}\n  x\n{% endfor %}",
    "{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}",
    "{% set all = namespace(x='') %}{% for m in messages %}{% set all.x = all.x + m.role %}{% endfor %}{{ all.x }}",
    "{{ tools | tojson }}|{{ tools | tojson(indent=2) }}|{{ tools | tojson(sort_keys=True) }}|{{ documents }}",
    "{{ strftime_now('%Y') }}{{ messages[0].content | upper }}{{ pad_token is defined }}{{ eos_token }}",
)


@pytest.mark.parametrize("source", TEMPLATES)
@pytest.mark.parametrize("answer", [False, True])
def test_it_is_written_as_transformers_writes_it(tokenizer: Any, source: str, answer: bool) -> None:
    options = {"tools": TOOLS, "add_generation_prompt": answer}
    expected = tokenizer.apply_chat_template(TALK, chat_template=source, tokenize=False, **options)
    render = template.renderer(source)
    assert render(messages=TALK, documents=None, **options, **tokenizer.special_tokens_map) == expected


@pytest.mark.parametrize("source", [
    "{{ raise_exception('roles must alternate') }}", "{{ messages[9].content.x }}", "{{ 'x'.__class__.mro() }}",
    "{{ messages.append(1) }}",
])  # fmt: skip
def test_it_refuses_what_transformers_refuses(tokenizer: Any, source: str) -> None:
    with pytest.raises(jinja2.TemplateError) as expected:
        tokenizer.apply_chat_template(TALK, chat_template=source, tokenize=False)
    with pytest.raises(jinja2.TemplateError) as found:
        template.renderer(source)(messages=TALK)
    assert (type(found.value), str(found.value)) == (type(expected.value), str(expected.value))


def test_the_data_report_writes_it_so_too(tokenizer: Any, tiny: Path) -> None:
    from scripts.dataset.tokenizer import Tokenizer

    assert Tokenizer(tiny, "tiny").apply_chat_template(TALK) == tokenizer.apply_chat_template(TALK, tokenize=False)
