"""The tags of a resource: all there, as they were sealed, as its tree gives them, as those beside it have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scripts.chain import tags
from scripts.provenance.line import DIFFERS, MISSING, OK, UNVERIFIED, Line
from scripts.provenance.tree import Trees
from scripts.targets import command

MADE_BY = {"job": "finetune", "model": "register", "endpoint": "deploy", "deployment": "deploy"}


def look(line: Line, trees: Trees, what: str, found: Mapping[str, str], beside: Mapping[str, str], said: str,
         own: tuple[str, ...] = tags.OF_TREE) -> None:  # fmt: skip
    """Adds the link of a resource, or one for each of its tags that is wrong; `what` begins with its kind.

    `beside` are the tags that others say it has to have, `own` those that are held against its tree here, `said` what
    is to be said of it besides.
    """
    if "commit" not in found and tags.SEAL not in found:  # of an earlier release, or of another program
        again = command(MADE_BY[what.partition(" ")[0]], line.environment)
        line.add(what, MISSING, f"has no tags that say where it comes from; {again} writes them on what it makes")
        return
    faults = list(_faults(trees, found, beside, own))
    for name, status, sentence, expected in faults:
        line.add(f"{what}: tag {name}", status, sentence, found.get(name, "nothing"), expected)
    if not faults:
        line.add(what, OK, f"{said}; {origin(found)}")


def origin(found: Mapping[str, str]) -> str:
    """Returns in words what tags say of commit and person."""
    commit, tree = found.get("commit", ""), found.get("tree")
    where = "of no commit" if commit == tags.NONE else f"commit {commit[:12]}"
    return f"{where}{' with changes' * (tree == tags.DIRTY)}, by {found.get('by')}"


def _faults(
    trees: Trees, found: Mapping[str, str], beside: Mapping[str, str], own: tuple[str, ...]
) -> Iterator[tuple[str, str, str, str]]:
    """Yields (tag, status, sentence, what was expected) of what is wrong."""
    broken = tags.broken(found)
    tree = None if "commit" in broken else trees.of(found)
    given = {**(tree.tags if tree else {}), **beside}
    for name in broken:
        how = "was changed after it was made" if name in found else "was deleted"
        yield name, DIFFERS, how, given.get(name, "")
    for name, text in beside.items():
        if name not in broken and found.get(name) != text:
            yield name, DIFFERS, "is not what those beside it say", text
    if "commit" in broken:
        return
    if tree is None:
        why = "is not in this clone, so YAML, values and lock of it are not known; git fetch, or git fetch --unshallow"
        yield "commit", UNVERIFIED, why, ""
        return
    for name in own:
        if name not in broken and found.get(name) != tree.tags.get(name):
            yield name, *otherwise(found, tree.title), tree.tags.get(name, "nothing")


def otherwise(found: Mapping[str, str], title: str) -> tuple[str, str]:
    """Returns status and sentence for a tag that is not as its tree has it."""
    if found.get("tree") == tags.DIRTY:
        return MISSING, f"no commit has it: it came from {title} with changes, or with SET; commit, and make it anew"
    return DIFFERS, f"{title} has another one"
