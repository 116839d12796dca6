"""The arithmetic written out here is that of transformers and PEFT: same loss, same gradients."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

from scripts.conversation.tokens import Encoded
from scripts.local.engine import attention, lora, packed
from scripts.local.engine.step_plan import batches, passes

LORA = {"lora_r": 4, "lora_alpha": 8, "lora_dropout": 0.0}
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def rows(count: int, seed: int = 0, longest: int = 40) -> list[Encoded]:
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        length = draw.randint(5, longest)
        ids = [draw.randint(3, 250) for _ in range(length)]
        made.append(Encoded(ids, [draw.random() < 0.5 for _ in range(length)]))
    return made


def alike(count: int, seed: int = 0, longest: int = 40) -> list[Encoded]:
    """Rows of which some begin as others do, with an untrained system prompt of 20 or 24 tokens."""
    draw = random.Random(seed)
    prompts = [[draw.randint(3, 250) for _ in range(length)] for length in (20, 24)]
    return [
        row if at % 3 == 2 else Encoded(prompts[at % 3] + row.ids, [False] * len(prompts[at % 3]) + row.trained)
        for at, row in enumerate(rows(count, seed, longest))
    ]


def reference_loss(model: Any, given: list[Encoded]) -> torch.Tensor:
    """The summed loss by transformers' own forward pass, a conversation at a time."""
    total = torch.zeros(())
    for row in given:
        labels = torch.tensor([t if is_trained else -100 for t, is_trained in zip(row.ids, row.trained, strict=True)])
        logits = model(input_ids=torch.tensor([row.ids])).logits[0, :-1].float()
        total = total + F.cross_entropy(logits, labels[1:], reduction="sum")
    return total


def gradients(model: Any) -> dict[str, torch.Tensor]:
    found = {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}
    model.zero_grad()
    return found


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert set(ours) == set(theirs) != set()
    for name in ours:
        assert torch.allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-5), name


@pytest.mark.parametrize("made", [rows, alike])
def test_a_packed_pass_is_one_conversation_at_a_time(tiny: Path, made: Any) -> None:
    ours, theirs = packed.load(tiny, torch.float32, "cpu"), AutoModelForCausalLM.from_pretrained(tiny)
    given = made(8)
    loss = packed.trained_loss(ours, given, 0.25)
    expected = 0.25 * reference_loss(theirs, given)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    expected.backward()
    assert_same(gradients(ours), gradients(theirs))
    assert packed.evaluated_loss(ours, given) == pytest.approx(expected.item() * 4, rel=1e-5)


def test_what_conversations_begin_with_alike_is_computed_once() -> None:
    given = alike(9)
    groups = packed.grouped(given)
    assert sorted(group.shared for group in groups) == [0, 0, 0, 20, 24]
    assert sorted(id(row) for group in groups for row in group.rows) == sorted(map(id, given))
    twins = [given[0], given[0]]  # each keeps a token of its own
    first = given[0].trained.index(True)
    assert [(group.shared, group.lengths) for group in packed.grouped(twins)] == [
        (first, [len(given[0].ids) - first] * 2)
    ]
    trained = [Encoded(row.ids, [True] * len(row.ids)) for row in given]
    assert all(group.shared == 0 for group in packed.grouped(trained))


def test_plain_attention_in_bf16_is_attention(tiny: Path) -> None:
    torch.manual_seed(0)
    groups = packed.grouped([*rows(2), *alike(4)])
    tokens = sum(length for group in groups for length in (group.shared, *group.lengths))
    q, k, v = (torch.randn(1, heads, tokens, 8, dtype=torch.bfloat16) for heads in (4, 2, 2))
    ours, _ = attention._attend(torch.nn.Module(), q, k, v, None, groups)
    wide, _ = attention._attend(torch.nn.Module(), q.float(), k.float(), v.float(), None, groups)
    assert torch.allclose(ours.float(), wide, atol=3e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sliding_window_is_kept(tmp_path: Path, dtype: torch.dtype, make_model: Any) -> None:
    folder = make_model(tmp_path / "mistral", model_type="mistral", sliding_window=6)
    ours = packed.load(folder, dtype, "cpu")
    theirs = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    given = alike(6, longest=30)
    expected = reference_loss(theirs, given).item()
    assert packed.evaluated_loss(ours, given) == pytest.approx(expected, rel=1e-5 if dtype == torch.float32 else 1e-2)
    plain = AutoModelForCausalLM.from_pretrained(
        make_model(tmp_path / "all", model_type="mistral", sliding_window=None)
    )
    plain.load_state_dict(theirs.state_dict())
    assert abs(reference_loss(plain, given).item() - expected) > 1e-2  # so the window does matter here


def test_adapters_written_out_are_those_of_peft(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses, found = [], []
    for written_out in (True, False):
        if not written_out:
            monkeypatch.setattr(lora, "_write_out", lambda adapted: None)
        torch.manual_seed(1)
        model = packed.load(tiny, torch.float32, "cpu")
        lora.add_adapters(model, LORA, ALL_LINEAR)
        for name, weight in model.named_parameters():
            if "lora_B" in name:  # zero at first, so that nothing would depend on lora_A
                torch.nn.init.normal_(weight, std=0.1)
        loss = packed.trained_loss(model, rows(3), 1.0)
        loss.backward()
        losses.append(loss.item())
        found.append(gradients(model))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert_same(*found)
    assert all("lora" in name for name in found[0])


def test_the_loss_of_a_frozen_head_has_the_gradient_of_cross_entropy() -> None:
    torch.manual_seed(0)
    states, head = torch.randn(600, 16, requires_grad=True), torch.randn(50, 16)
    targets = torch.randint(0, 50, (600,))
    ours = packed._FrozenHeadLoss.apply(states, head, targets, 0.5)
    (ours * 3).backward()
    gradient = states.grad.clone()
    states.grad = None
    theirs = 0.5 * F.cross_entropy(states @ head.T, targets, reduction="sum")
    (theirs * 3).backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-4)
    assert torch.allclose(gradient, states.grad, rtol=1e-3, atol=1e-5)


def test_cutting_a_batch_into_passes_changes_nothing(tiny: Path) -> None:
    model = packed.load(tiny, torch.float32, "cpu")
    given = rows(8)
    found = []
    for most in (45, 100000):
        parts = passes(given, most)
        for part in parts:
            packed.trained_loss(model, part, 1 / 8).backward()
        found.append(gradients(model))
        assert all(len(part) == 1 or sum(len(row.ids) for row in part) <= most for part in parts)
        assert sorted(id(row) for part in parts for row in part) == sorted(map(id, given))
    assert_same(*found)


def test_an_epoch_takes_every_row_once_in_an_order_of_its_own() -> None:
    given = rows(10)
    first, again, second = (list(batches(given, 4, 42, epoch)) for epoch in (0, 0, 1))
    assert [len(batch) for batch in first] == [4, 4, 2]
    flat = [id(row) for batch in first for row in batch]
    assert sorted(flat) == sorted(map(id, given)) != flat
    assert [list(map(id, batch)) for batch in again] == [list(map(id, batch)) for batch in first]
    assert [list(map(id, batch)) for batch in second] != [list(map(id, batch)) for batch in first]


def test_targets_that_the_model_does_not_have_are_the_users_error(tiny: Path) -> None:
    from scripts.errors import UserError

    with pytest.raises(UserError, match="lora_target_modules: nose does not fit"):
        lora.add_adapters(packed.load(tiny, torch.float32, "cpu"), LORA, ("nose",))
