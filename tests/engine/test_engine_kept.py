"""What the engine keeps and reads again, damaged: a converted model is made anew, a checkpoint is named."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.errors import UserError
from scripts.local.engine import smollm2
from tests.damage import PLACES


def test_a_converted_model_that_is_damaged_is_converted_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_LOCAL_HOME", str(tmp_path))
    made = []

    def convert(folder: Path) -> None:
        made.append(folder)
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "weights").write_bytes(bytes(range(256)) * 100)

    def kept() -> bytes:
        folder, _ = smollm2._kept("x", convert)
        return (folder / "weights").read_bytes()

    whole, folder = kept(), tmp_path / "models" / f"{smollm2.NAME}-x"
    assert kept() == whole and len(made) == 1
    damages: list[Callable[[], object]] = [
        lambda: (folder / "weights").write_bytes(whole[:-1]),
        lambda: (folder / "weights").write_bytes(b"\xff" + whole[1:]),
        lambda: (folder / "weights").unlink(),
        lambda: (folder / "more").write_bytes(b""),
        lambda: [path.unlink() for path in folder.iterdir()],
        lambda: folder.rename(tmp_path / "elsewhere") and folder.write_text("a file"),
        *(functools.partial(damage, folder / name) for place, damage in PLACES.items() if place != "huge"
          for name in ("weights", smollm2.SUMS)),
    ]  # fmt: skip
    for number, damage in enumerate(damages, 2):
        damage()
        assert kept() == whole and len(made) == number
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", ["trainer_state.json", "weights.pt", "optimizer.pt"])
def test_a_checkpoint_that_is_damaged_is_named(tmp_path: Path, name: str) -> None:
    import torch

    from scripts.local.engine.checkpoints import Checkpoints, State

    def model() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        layer = torch.nn.Linear(4, 4)
        return layer, torch.optim.AdamW(layer.parameters())

    for place, damage in PLACES.items():
        if place == "huge" and name != "trainer_state.json":
            continue  # whatever is behind an archive's end is none of its own
        kept = Checkpoints(tmp_path / place, -1)
        kept.save(3, *model(), State(3, 1.5, 3, 0, 4.5))
        assert kept.resume([kept.folder], *model()) == State(3, 1.5, 3, 0, 4.5)
        damage(kept.folder / "checkpoint-3" / name)
        if place == "loop" and name == "trainer_state.json":
            assert kept.resume([kept.folder], *model()) is None  # as one that is not complete
            continue
        with pytest.raises(UserError, match=f"checkpoint-3/{name}: .+; delete this checkpoint's folder") as caught:
            kept.resume([kept.folder], *model())
        assert "\n" not in str(caught.value)


def test_weights_of_another_kind_are_named(tmp_path: Path) -> None:
    import torch

    from scripts.local.engine.checkpoints import restore

    torch.save([1, 2], tmp_path / "weights.pt")
    with pytest.raises(UserError, match=r"weights\.pt: holds no weights"):
        restore(torch.nn.Linear(4, 4), tmp_path)
