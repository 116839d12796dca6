"""A manifest edited by hand, its digest made anew: for every reader it is right, or a sentence; never a traceback."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scripts.dataset.__main__ import command_line
from scripts.dataset.manifest import MANIFEST, Unusable, as_text, digest, read_manifest
from scripts.dataset.prepare import prepare
from scripts.dataset.run_plan import run_plan
from scripts.dataset.settings import Settings, from_values
from scripts.errors import UserError
from scripts.preflight import checklist, context
from scripts.state import data_version
from scripts.values.read import load
from tests.damage import PLACES
from tests.dataset.samples import PLAIN, as_jsonl, rows

ODD = (None, True, "", "x", "../x", "ΰ\ud800", -1, 0, 1, 3.0, 0.5, 1e308, 2**53, 2**70, 10**400, [], {}, [None],
       {"a": []}, float("inf"), float("nan"))  # fmt: skip
VALUES = load("demo")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, small_tokenizer: Path) -> tuple[Path, Settings, dict[str, Any]]:
    """A project's root, settings and the manifest that they give, with something of everything in it."""
    root = tmp_path_factory.mktemp("project")
    some = [*({**row, "more": 1} for row in rows(100)), *rows(3), {"text": "no talk"}]
    source = root / "set"
    source.mkdir()
    as_jsonl(source / "train.jsonl", some)
    (source / "notes.txt").write_text("x")
    dataset = {"source": str(source), "splits": PLAIN, "tokenizer": str(small_tokenizer)}
    settings = from_values({"dataset": dataset, "finetune": {"max_seq_length": 20}})
    manifest = prepare(settings, root / "data" / "demo", say=lambda line: None, stream=None).manifest
    assert manifest["shown_rows"]["mapped"] and manifest["left_out"]["rows"] and manifest["unused_files"]
    return root, settings, json.loads(as_text(manifest))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields every place of a manifest as (holder, key)."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def mutated(manifest: dict[str, Any], generator: random.Random) -> str:
    """Returns a manifest in which one to three values have gone, are of another kind, or came twice."""
    manifest = copy.deepcopy(manifest)
    for _ in range(generator.choice((1, 1, 2, 3))):
        holder, key = generator.choice([*places(manifest)])
        match generator.randrange(4):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case 2 if type(holder[key]) in (int, float):
                holder[key] *= generator.choice((-1, 0, 2, 10**6, 0.5))
            case _:
                holder[key] = generator.choice(ODD)
    manifest["digest"] = digest(manifest)
    return json.dumps(manifest)


def readers(root: Path, settings: Settings) -> Iterator[Any]:
    """Yields everything that reads the manifest: preflight with the cost, the report, the state, and make data."""
    folder = root / "data" / "demo"

    def preflight() -> None:
        data, prepared = context.read("demo", root)
        made = context.build(VALUES)
        made.data, made.prepared = data, prepared
        checklist.run(made)

    yield preflight
    yield partial(command_line, ["report", "--env", "demo", "--folder", str(folder)])
    yield partial(data_version, "demo", root)
    yield lambda: prepare(settings, folder, say=lambda line: None, stream=None, plan=partial(run_plan, VALUES))


@pytest.mark.parametrize("count", [20, pytest.param(1000, marks=pytest.mark.long)])
def test_mutated_manifests_are_right_or_a_sentence(
    made: tuple[Path, Settings, dict[str, Any]], count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    root, settings, manifest = made
    generator, outcomes = random.Random(count), {True: 0, False: 0}
    for number in range(count):
        text = mutated(manifest, generator)
        for read in readers(root, settings):
            (root / "data" / "demo" / MANIFEST).write_text(text)
            try:
                read()
                outcomes[True] += 1
            except UserError as error:
                assert "make data ENV=demo" in str(error), (number, error)
                outcomes[False] += 1
    assert min(outcomes.values()) > count / 2, outcomes


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        (("files", "train", "rows"), -1, "files.train.rows is the number -1, which preparing the data never writes"),
        (("files", "train", "path"), "../x", "files.train.path is '../x'"),
        (("checks", 0, "examples"), None, "checks.0.examples is nothing"),
        (("tokens",), {}, "tokens lacks counted_with, is_own"),
        (("version",), "a b", "version is 'a b'"),
        (("format",), 1, "it is of another version of this project"),
    ],
)
def test_an_edited_manifest_is_named_by_key_and_prepared_anew(
    made: tuple[Path, Settings, dict[str, Any]], where: tuple[Any, ...], value: Any, words: str
) -> None:
    root, settings, manifest = made
    folder, edited = root / "data" / "demo", copy.deepcopy(manifest)
    holder = edited
    for key in where[:-1]:
        holder = holder[key]
    holder[where[-1]] = value
    (folder / MANIFEST).write_text(json.dumps({**edited, "digest": digest(edited)}))
    with pytest.raises(UserError) as caught:
        context.read("demo", root)
    assert str(caught.value).startswith("data/demo/manifest.json: is not what preparing the data writes: ")
    assert words in str(caught.value) and "make data ENV=demo prepares it anew" in str(caught.value)
    said: list[str] = []
    assert prepare(settings, folder, say=said.append, stream=None).is_fresh and words in said[0]
    assert context.read("demo", root)[1].rows_in == 104


@pytest.mark.parametrize("damage", PLACES.values(), ids=PLACES)
def test_what_lies_in_the_place_of_a_manifest_is_neither_waited_for_nor_read_whole(tmp_path: Path, damage: Any) -> None:
    (tmp_path / MANIFEST).write_text("{}")
    damage(tmp_path / MANIFEST)
    with pytest.raises(Unusable, match=r"is no file|cannot be read|is larger than|is not JSON|not UTF-8|holds zeros"):
        read_manifest(tmp_path)
