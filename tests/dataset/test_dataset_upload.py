"""scripts/.amlignore: with the preparation step goes what it needs, and nothing else."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.preflight import context

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SUFFIXES = (".j2", ".css", ".js", ".json")  # of files that are no modules
ENTRY = ("dataset/__main__.py", "dataset/pipeline_step.py")


def uploaded(folder: Path) -> set[str]:
    """Returns the files that the SDK would upload from a folder, by its own reading of .amlignore."""
    from azure.ai.ml._utils._asset_utils import get_ignore_file, get_upload_files_from_folder

    return {name for _, name in get_upload_files_from_folder(folder, ignore_file=get_ignore_file(folder))}


def fingerprint(folder: Path) -> tuple[str, str]:
    """Returns both hashes by which the SDK knows a snapshot."""
    from azure.ai.ml._utils._asset_utils import get_content_hash, get_ignore_file, get_object_hash

    ignored = get_ignore_file(folder)
    return get_object_hash(folder, ignored), str(get_content_hash(folder, ignored))


def needed() -> set[str]:
    """Returns the closure of the step's imports, those in functions too, and the files beside those modules."""
    found: set[str] = set()
    waiting = list(ENTRY)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [f"{folder}__init__.py" for folder in parents(name) if (SCRIPTS / f"{folder}__init__.py").exists()]
        tree = ast.parse((SCRIPTS / name).read_text(encoding="utf-8"))
        # Of the command line only what it imports at once: its functions are the other verbs.
        nodes = tree.body if name == ENTRY[0] else list(ast.walk(tree))
        waiting += [file for node in nodes for file in imported(node)]
    return found | set(beside(found))


def parents(name: str) -> list[str]:
    """Returns the folders above a file, `` first: `a/`, `a/b/` of a/b/c.py."""
    parts = name.split("/")[:-1]
    return ["", *("/".join(parts[: at + 1]) + "/" for at in range(len(parts)))]


def imported(node: ast.AST) -> Iterator[str]:
    """Yields the files of scripts/ that an import statement names."""
    names = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports here are absolute"
        names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    for name in names:
        path = name.removeprefix("scripts.").replace(".", "/")
        if name.startswith("scripts."):
            yield from (file for file in (f"{path}.py", f"{path}/__init__.py") if (SCRIPTS / file).exists())


def beside(modules: set[str]) -> Iterator[str]:
    """Yields the templates, styles and facts that a module's text names, and those that these name in turn."""
    texts = [(SCRIPTS / name).read_text(encoding="utf-8") for name in modules]
    others = {path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*.*") if path.suffix in SUFFIXES}
    while new := [name for name in sorted(others) if any(is_named(name, text) for text in texts)]:
        yield from new
        others -= set(new)
        texts = [(SCRIPTS / name).read_text(encoding="utf-8") for name in new]


def is_named(name: str, text: str) -> bool:
    """Whether a text has the path of a file, or its name, in quotes."""
    return f'"{name}"' in text or f'"{Path(name).name}"' in text


def test_the_upload_is_what_the_step_needs() -> None:
    there, wanted = uploaded(SCRIPTS), needed()
    assert not wanted - there, f"scripts/.amlignore keeps back what the step needs: {sorted(wanted - there)}"
    assert not there - wanted, f"scripts/.amlignore lets in what the step does not need: {sorted(there - wanted)}"
    assert sum((SCRIPTS / name).stat().st_size for name in there) < 500_000


def test_an_edit_elsewhere_changes_no_snapshot(tmp_path: Path) -> None:
    copy = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = fingerprint(copy)
    for name in ("render.py", "local/new_resource.py", "local/engine/finetune.py", "conversation/endpoint.py",
                 "dataset/__pycache__/prepare.pyc", "__pycache__/files.pyc",
                 "catalog/demo/train_sft.jsonl"):  # fmt: skip
        (copy / name).parent.mkdir(exist_ok=True)
        with (copy / name).open("a") as stream:
            stream.write("# an edit\n")
    assert fingerprint(copy) == before
    for name in ("dataset/sieve.py", "pages/style.css"):
        with (copy / name).open("a") as stream:
            stream.write(" ")
        after = fingerprint(copy)
        assert after[0] != before[0] and after[1] != before[1]
        before = after


@pytest.mark.parametrize("tokens", ["sample", "exact"])
def test_the_step_runs_from_its_upload(tmp_path: Path, small_tokenizer: Path, tokens: str) -> None:
    """As the component's command does: in a folder of any name, which a link calls `scripts`."""
    code = tmp_path / "snapshot"
    for name in uploaded(SCRIPTS):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SCRIPTS / name, code / name)
    (code / "package").mkdir()
    (code / "package" / "scripts").symlink_to(code)
    rows = [{"messages": [{"role": "user", "content": f"What is {at}, please?"},
                          {"role": "assistant", "content": "A number."}]} for at in range(60)]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = {"source": "some/where", "splits": {"train": None, "validation": 0.2, "test": 0.2}, "tokens": tokens,
               "tokenizer": str(small_tokenizer)}  # fmt: skip
    (tmp_path / "settings.json").write_text(json.dumps({"dataset": dataset, "finetune": {"max_seq_length": 64}}))
    words = [f"--{part}={tmp_path / 'out' / part}" for part in ("train", "validation", "test", "heldout", "report")]
    done = subprocess.run(
        [sys.executable, "-m", "scripts.dataset", "component", "--settings", str(tmp_path / "settings.json"),
         "--input", str(tmp_path / "rows.jsonl"), *words],
        cwd=code, env={**os.environ, "PYTHONPATH": "package"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out" / "report" / "manifest.json").read_text("utf-8"))
    assert manifest["tokens"]["counted_with"] == f"the tokenizer in {small_tokenizer}"
    page = (tmp_path / "out" / "report" / "report.html").read_text("utf-8")
    assert "What the model learns" in page
    assert "What the run takes cannot be told: a step of the pipeline knows neither machine nor price" in page
    shutil.copytree(tmp_path / "out" / "report", tmp_path / "data" / "dev")  # as make data-report does
    assert context.read("dev", tmp_path)[0]["train"].tokens == manifest["files"]["train"]["tokens"]["tokens"]
