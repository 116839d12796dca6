"""A model folder whose chat template was lost is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.conversation import template
from scripts.errors import UserError

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
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
