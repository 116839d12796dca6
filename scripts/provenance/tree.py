"""The files that something was made of: those of a commit, or those that lie here, and the tags that they give."""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts import git
from scripts.chain import tags
from scripts.chain.rendered import Rendered
from scripts.errors import UserError
from scripts.values.read import Values, load

_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True)
class Tree:
    """A tree of the project; `title` is how sentences call it."""

    title: str
    root: Path
    environment: str
    given: Values | None = None  # with what the command line sets

    @functools.cached_property
    def values(self) -> Values:
        """The values as they are resolved there; a UserError where there are none."""
        return self.given or load(self.environment, root=self.root, check=False)

    @property
    def rendered(self) -> Rendered:
        """The rendered YAML there."""
        return Rendered(self.environment, self.root)

    @functools.cached_property
    def tags(self) -> dict[str, str]:
        """The tags that this tree gives; empty where it has no such environment."""
        try:
            return tags.of_tree(self.values, self.rendered.fingerprint(), self.root)
        except UserError:
            return {}


@dataclass
class Trees:
    """The trees of a clone: what lies here, and any commit, each extracted once; `close` deletes them."""

    root: Path
    values: Values
    _made: dict[str, Tree] = field(default_factory=dict)
    _folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def here(self) -> Tree:
        """What lies here."""
        return self._made.setdefault("", Tree("the files here", self.root, self.values.environment, self.values))

    def of(self, told: Mapping[str, str]) -> Tree | None:
        """Returns the tree that tags tell of, None where this clone does not have it.

        What came from no commit, or from more than a commit has, is looked for here.
        """
        commit = told.get("commit", "")
        if commit == tags.NONE:
            return self.here
        if told.get("tree") == tags.DIRTY and all(told.get(name) == self.here.tags.get(name) for name in tags.OF_TREE):
            return self.here
        if not _COMMIT.fullmatch(commit) or not git.has(self.root, commit):
            return None
        if commit not in self._made:
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="provenance-")
            folder = Path(self._folder.name, commit)
            folder.mkdir()
            git.extract(commit, folder, self.root)
            self._made[commit] = Tree(f"commit {commit[:12]}", folder, self.values.environment)
        return self._made[commit]

    def close(self) -> None:
        """Deletes what was extracted."""
        if self._folder:
            self._folder.cleanup()
