"""The base model beside the tuned one: where it is asked, and that its weights answer as they do in an evaluation."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.chat import base
from scripts.conversation.held_out import Case
from scripts.errors import UserError
from tests.tiny_models import tiny  # noqa: F401 - a fixture

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Which size trains Phi-4?"}]


def values(**evaluation: Any) -> Any:
    return SimpleNamespace(data={"evaluation": {"weights": True, **evaluation}, "request": {"max_new_tokens": 9}})


def test_where_the_base_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    here = base.find(values(), None, "m:1", None)  # type: ignore[arg-type]
    assert here.can and "on this machine" in here.how
    nowhere = base.find(values(weights=False), None, "m:1", None)  # type: ignore[arg-type]
    assert not nowhere.can and "evaluation.base_endpoint" in nowhere.how
    served = SimpleNamespace(model="base:3", pieces=lambda *given: iter([given]))
    monkeypatch.setattr(base.endpoint_module, "find", lambda client, name: served if name == "there" else None)
    there = base.find(values(base_endpoint="there", weights=False), None, "m:1", None)  # type: ignore[arg-type]
    assert (there.can, there.how) == (True, "base:3 at there")
    assert list(there.ask(MESSAGES, {"top_p": 1})) == [(MESSAGES, {"top_p": 1}, None)]
    gone = base.find(values(base_endpoint="gone"), None, "m:1", None)  # type: ignore[arg-type]
    assert not gone.can and "endpoint gone" in gone.how


@pytest.mark.slow
def test_its_weights_answer_in_pieces_as_an_evaluation_would(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from scripts.evaluate.loaded_model import Model

    model = Model(tiny)
    expected = model.answers([Case("chat", MESSAGES, "")], 9)
    model.model.set_attn_implementation("sdpa")
    loads: list[int] = []
    loaded = base.Loaded(values(), None, "m:1")
    monkeypatch.setattr(loaded, "_load", lambda: loads.append(1) or model)
    for parameters in ({}, {"max_new_tokens": 9, "temperature": 1.5}):
        assert "".join(loaded.ask(MESSAGES, parameters)).strip() == expected[0]
    assert loads == [1]
    before = threading.active_count()
    leaving = loaded.ask(MESSAGES, {"max_new_tokens": 200})
    next(leaving)
    assert threading.active_count() == before + 1
    leaving.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before and not loaded.lock.locked()


@pytest.mark.slow
def test_a_model_that_fails_is_a_sentence(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from scripts.evaluate.loaded_model import Model

    model = Model(tiny)
    monkeypatch.setattr(model.model, "generate", lambda **_: 1 / 0)
    with pytest.raises(UserError, match="the base model failed: division by zero"):
        list(base._pieces(model, MESSAGES, 5))
