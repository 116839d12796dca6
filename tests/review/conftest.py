"""A copy of the project's authored files to plant changes in, and what a review says of them against the original."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from scripts import render
from scripts.files import ROOT
from scripts.review import __main__ as command
from scripts.review import base, shown, tree
from scripts.review.compare import Review
from scripts.review.seen import Seen
from scripts.values.read import environments, load

TODAY = "2026-11-23"
# What values, rendering and checks read of a tree: the authored files, the rendered ones, and the shipped facts.
NEEDED = (
    "values.yaml", "values.schema.json", "pyproject.toml", "environments/", "templates/", "pipelines/", "endpoints/",
    f"{base.CATALOG.as_posix()}/", base.KNOWN_SOURCES.as_posix(),
)  # fmt: skip
Plant = Callable[["Tree"], None]


class Tree:
    """The files of a tree, and the edits that somebody makes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in NEEDED:
            source, target = ROOT / name, root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _ = shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)

    def edit(self, name: str, old: str, new: str, count: int = 1) -> None:
        """Replaces a text that has to be there."""
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text, f"{old} is not in {name}"
        (self.root / name).write_text(text.replace(old, new, count), encoding="utf-8")

    def set(self, name: str, **keys: Any) -> None:
        """Sets keys of a YAML file (`__` for a dot)."""
        path = self.root / name
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}
        for key, value in keys.items():
            *above, last = key.split("__")
            place = content
            for each in above:
                place = place.setdefault(each, {})
            place[last] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")

    def render(self, *names: str) -> None:
        """Renders environments, all without a name."""
        for name in names or environments(self.root):
            render.write(render.render(load(name, root=self.root), self.root), name, self.root)

    def look(self) -> dict[str, Seen]:
        """Looks at all environments."""
        return {name: tree.look(name, self.root, TODAY) for name in environments(self.root)}


@functools.cache
def original() -> dict[str, Seen]:
    """What the project as it is says."""
    return {name: tree.look(name, ROOT, TODAY) for name in environments()}


def reviewed(planted: Tree) -> dict[str, Review]:
    """Returns the reviews of a tree by environment."""
    return {each.environment: each for each in command.differences(original(), planted.look())}


def text(reviews: dict[str, Review]) -> str:
    """Returns what a terminal shows, its blanks as one."""
    return " ".join(shown.text(list(reviews.values()), "main").split())
