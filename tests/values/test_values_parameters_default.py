"""A default that a model brings and the component would not take: what the user wrote stands above it."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.errors import UserError
from scripts.values import facts as facts_module
from scripts.values.parameters import disagreements, resolve
from scripts.values.read import load


@pytest.mark.parametrize("bad", ["True-ish", "", -1, None])
def test_a_bad_default_of_the_model_gives_way_to_what_the_user_wrote(bad: object) -> None:
    values = load("dev", ["finetune.apply_deepspeed=true"])
    facts = facts_module.load(values)
    model = dataclasses.replace(facts.model, model_specific_defaults={"apply_deepspeed": bad})
    facts = dataclasses.replace(facts, model=model)
    assert resolve(values, facts)["apply_deepspeed"].value == "true"
    assert "apply_deepspeed" in "".join(disagreements(values, facts))
    del values.data["finetune"]["apply_deepspeed"]
    with pytest.raises(UserError, match=r"the default apply_deepspeed that .* set finetune\.apply_deepspeed"):
        resolve(values, facts)
