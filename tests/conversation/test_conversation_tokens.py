"""The tokens are the template's own, and exactly the answers are trained."""

from __future__ import annotations

import random
from typing import Any

import pytest

from scripts.conversation import tokens as chat
from scripts.errors import UserError

WORDS = [
    "Azure",
    "ml",
    " job",
    "\n\n",
    "  two",
    "ünïcödé",
    "😀👩‍👩‍👧",
    "日本語",
    "<|im_end|>",
    "{{ x }}",
    "\t",
    "e\u0301",
    "1234567",
]


def conversations() -> list[list[dict[str, str]]]:
    """Sixty conversations: with and without system turn, empty and long answers, line breaks, emoji, control tokens."""
    draw = random.Random(7)

    def content() -> str:
        return "".join(draw.choice(WORDS) for _ in range(draw.randint(0, 12)))

    made = []
    for number in range(60):
        turns = [{"role": "system", "content": content()}] if number % 3 == 0 else []
        for _ in range(draw.randint(1, 4)):
            turns += [{"role": "user", "content": content()}, {"role": "assistant", "content": content()}]
        made.append(turns if number % 5 else turns[:-1] or turns)
    return made


@pytest.mark.parametrize("messages", conversations())
def test_tokens_are_those_of_the_template(tokenizer: Any, messages: list[dict[str, str]]) -> None:
    encoded = chat.encode(tokenizer, messages)
    expected = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"]
    assert encoded.ids == expected
    assert len(encoded.trained) == len(expected)
    prompt = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, add_generation_prompt=True)
    assert chat.prompt(tokenizer, messages) == prompt["input_ids"]


def test_the_answers_are_trained_with_the_token_that_ends_them(tokenizer: Any) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "assistant?"},
        {"role": "assistant", "content": "Ja, für 😀."},
        {"role": "user", "content": "Sure?"},
        {"role": "assistant", "content": "Yes."},
    ]
    encoded = chat.encode(tokenizer, messages)
    trained = [token for token, is_trained in zip(encoded.ids, encoded.trained, strict=True) if is_trained]
    assert tokenizer.decode(trained) == "Ja, für 😀.<|im_end|>Yes.<|im_end|>"


def test_what_is_trained_follows_the_prompt_that_serving_sends(tokenizer: Any) -> None:
    messages = [{"role": "user", "content": "Which size?"}, {"role": "assistant", "content": "An A100 does."}]
    encoded = chat.encode(tokenizer, messages)
    prompt = chat.prompt(tokenizer, messages[:1])
    assert encoded.ids[: len(prompt)] == prompt
    assert encoded.trained.index(True) == len(prompt)


def test_an_opening_answer_is_context_and_not_trained(tokenizer: Any) -> None:
    encoded = chat.encode(tokenizer, [{"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Hi."}])
    assert not any(encoded.trained)


def test_a_template_that_rewrites_earlier_turns_is_refused(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    forgetful = (
        "{% for m in messages %}{% if loop.last or m['role'] == 'user' %}{{ m['content'] }}{% endif %}{% endfor %}"
    )
    monkeypatch.setattr(tokenizer, "chat_template", forgetful)
    messages = [{"role": role, "content": f"{role} {turn}."} for turn in (1, 2) for role in ("user", "assistant")]
    with pytest.raises(UserError, match=r"turn 2 differently .*finetune_chat_template"):
        chat.encode(tokenizer, messages)


def test_a_tokenizer_without_a_template_is_refused(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "chat_template", None)
    with pytest.raises(UserError, match="no chat template"):
        chat.encode(tokenizer, [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hi."}])


def test_the_system_message_is_prepended_where_the_model_knows_none() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."}]
    assert chat.fold_system(messages) == [{"role": "user", "content": "Be brief.\n\nHi."}]
    assert chat.fold_system(messages[1:]) == messages[1:]
    with pytest.raises(UserError, match="at the beginning"):
        chat.fold_system(messages[::-1])
    with pytest.raises(UserError, match="needs a user message"):
        chat.fold_system(messages[:1])
