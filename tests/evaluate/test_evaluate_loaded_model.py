"""Losses and answers from weights, on a tiny model: against transformers' own loss, and with what training does."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from scripts.conversation.held_out import Case
from scripts.errors import UserError
from scripts.evaluate import loaded_model

pytestmark = pytest.mark.slow

CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Why? Größe 16 “quoted”"},
    {"role": "assistant", "content": "Because.\nTwo lines, 100 %."},
    {"role": "user", "content": "And then?"},
    {"role": "assistant", "content": "Nothing; the end."},
]
CASE = Case("case", CONVERSATION[:-1], CONVERSATION[-1]["content"])


@pytest.fixture(scope="module")
def base(tiny_base: Path) -> loaded_model.Model:
    return loaded_model.Model(tiny_base)


@pytest.fixture(scope="module")
def tuned(tiny_tuned: Path) -> loaded_model.Model:
    return loaded_model.Model(tiny_tuned)


def test_the_loss_is_that_of_transformers(base: loaded_model.Model, tiny_model: Any) -> None:
    import torch

    prompt = base.prompt(CASE)
    ids = [*prompt, *base.tokenizer(f"{CASE.truth}<|im_end|>")["input_ids"]]
    labels = [-100] * len(prompt) + ids[len(prompt) :]
    with torch.no_grad():
        mean = tiny_model(input_ids=torch.tensor([ids]), labels=torch.tensor([labels])).loss.item()
    ((loss, tokens),) = base.losses([CASE])
    assert tokens == len(CASE.truth) + 1  # a token a byte, and the one that ends the turn
    assert loss / tokens == pytest.approx(mean, rel=1e-4)


def test_tokens_are_the_same_in_trainer_evaluator_data_report_and_server(
    base: loaded_model.Model, tiny_base: Path
) -> None:
    """One conversation, four ways to tokens; what is served is exactly what was trained up to the answer."""
    from scripts.conversation import tokens as chat
    from scripts.dataset.tokenizer import Tokenizer
    from scripts.local.engine import model_import, preprocess
    from scripts.local.scoring.contract import Parameters
    from scripts.local.scoring.generator import Generator

    trained = preprocess.encode_row("row", {"messages": CONVERSATION}, model_import.load_tokenizer(tiny_base / "model"))
    evaluated = base.last_answer(CASE)
    reported = chat.encode(Tokenizer(tiny_base / "model", "tiny"), CONVERSATION)
    assert trained == reported
    assert evaluated.ids == trained.ids

    served = Generator(tiny_base, rows=1).prepare(CASE.messages, Parameters()).prompt
    assert served == base.prompt(CASE)
    first = evaluated.trained.index(True)
    assert served == trained.ids[:first]
    assert base.tokenizer.decode(trained.ids[first:]) == f"{CASE.truth}<|im_end|>\n"
    assert trained.trained[first:] == evaluated.trained[first:]  # the answer is trained as it is measured


def test_only_the_last_answer_counts(base: loaded_model.Model) -> None:
    row = base.last_answer(CASE)
    assert sum(row.trained) == len(CASE.truth) + 1
    assert base.tokenizer.decode([token for token, kept in zip(row.ids, row.trained, strict=True) if kept]) == (
        f"{CASE.truth}<|im_end|>"
    )


def test_a_conversation_that_is_too_long_loses_its_beginning(base: loaded_model.Model) -> None:
    long = dataclasses.replace(CASE, messages=[{"role": "user", "content": "x" * 2000}])
    ((loss, tokens),) = base.losses([long])
    assert tokens == len(CASE.truth) + 1 and math.isfinite(loss)
    assert isinstance(base.answers([long], 5)[0], str)


def test_training_shows(base: loaded_model.Model, tuned: loaded_model.Model) -> None:
    from scripts.evaluate.measure import Asked

    cases = [Case(f"case:{word}", [{"role": "user", "content": f"say {word}"}], word * 2) for word in "abcdef"]
    assert sum(loss for loss, _ in tuned.losses(cases)) < 0.5 * sum(loss for loss, _ in base.losses(cases))
    elsewhere = Asked(cases, 6, []).elsewhere()
    assert sum(loss for loss, _ in tuned.losses(elsewhere)) > sum(loss for loss, _ in tuned.losses(cases))
    assert [case.truth for case in elsewhere] == [case.truth for case in cases]
    assert all(other.messages != case.messages for case, other in zip(cases, elsewhere, strict=True))


def test_batches_answer_as_one_by_one(tuned: loaded_model.Model) -> None:
    cases = [Case("case", [{"role": "user", "content": "say " + word}], "") for word in ("a", "bb" * 20, "c", "d" * 7)]
    assert tuned.answers(cases, 8) == [tuned.answers([case], 8)[0] for case in cases]


def test_losses_are_the_same_one_by_one_and_together(tuned: loaded_model.Model) -> None:
    cases = [Case("case", [{"role": "user", "content": "the same beginning " + word}], word * 2)
             for word in ("a", "bb" * 20, "c", "c", "d" * 7)]  # fmt: skip
    told: list[float] = []
    together = tuned.losses(cases, told.append)
    assert sum(told) == len(cases)
    for (loss, tokens), case in zip(together, cases, strict=True):
        ((alone, same),) = tuned.losses([case])
        assert (loss, tokens) == (pytest.approx(alone, rel=1e-4), same)


def test_answers_say_how_far_they_are(tuned: loaded_model.Model) -> None:
    cases = [Case("case", [{"role": "user", "content": "say " + word}], "") for word in ("a", "b" * 60, "c")]
    told: list[float] = []
    tuned.answers(cases, 8, told.append)
    assert sum(told) == pytest.approx(3) and len(told) > 3


def test_batches_stay_within_their_tokens() -> None:
    prompts = [[0] * length for length in (5000, 10, 300, 300, 300, 9000)]
    groups = loaded_model.batched(prompts, 100)
    assert sorted(at for group in groups for at in group) == list(range(6))
    assert [2, 3, 4] in groups  # and the short one is not padded to their length
    for group in groups:
        assert (
            len(group) == 1 or len(group) * (max(len(prompts[at]) for at in group) + 100) <= loaded_model.BATCH_TOKENS
        )


def test_weights_that_do_not_fit_are_refused(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    free = type("Memory", (), {"available": 1000})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(UserError, match=r"do not fit into the 0\.0 GB"):
        loaded_model.Model(tiny_base)


def test_a_served_model_without_its_template_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    import shutil

    from scripts.conversation import template

    assert template.check(tiny_base)
    lost = tmp_path / "lost"
    shutil.copytree(tiny_base, lost)
    config = json.loads((lost / "model" / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (lost / "model" / "tokenizer_config.json").write_text(json.dumps(config))
    (lost / "model" / "chat_template.jinja").unlink(missing_ok=True)
    with pytest.raises(UserError, match="chat template was lost"):
        template.check(lost)
