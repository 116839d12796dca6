"""The comment on a pull request: one, replaced in place, deleted when nothing differs any more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.review.shown import MARKER
from tests.workflows.steps import Runner, jobs, runs

# GitHub's program, with the comments that there are in a file: number and text of each.
GH = r"""#!/usr/bin/env python3
import json, pathlib, subprocess, sys
kept, called, words = pathlib.Path("comments.json"), pathlib.Path("called"), sys.argv[2:]
assert sys.argv[1] == "api", sys.argv
comments = json.loads(kept.read_text())
if "--jq" in words:
    jq = ["jq", "-r", words[words.index("--jq") + 1]]
    sys.stdout.write(subprocess.run(jq, input=json.dumps(comments), capture_output=True, text=True, check=True).stdout)
else:
    method, path = words[words.index("--method") + 1], next(word for word in words if word.startswith("repos/"))
    body = next((pathlib.Path(word.partition("=@")[2]).read_text() for word in words if word.startswith("body=@")), "")
    before = called.read_text() if called.exists() else ""
    called.write_text(f"{before}{method} {path} {body}|")
"""
OURS = {"id": 7, "user": {"login": "github-actions[bot]"}, "body": f"{MARKER}\n\nold"}
THEIRS = {"id": 6, "user": {"login": "somebody"}, "body": f"{MARKER} quoted"}
OTHER = {"id": 5, "user": {"login": "github-actions[bot]"}, "body": "a report of something else"}
COMMENTS = "repos/o/r/issues/3/comments"


@pytest.mark.parametrize(
    ("there", "review", "called"),
    [
        ([THEIRS, OTHER], "new", f"POST {COMMENTS} new|"),
        ([THEIRS, OURS, OTHER], "new", "PATCH repos/o/r/issues/comments/7 new|"),
        ([OURS, {**OURS, "id": 8}], "new", "PATCH repos/o/r/issues/comments/7 new|"),
        ([THEIRS, OURS], "", "DELETE repos/o/r/issues/comments/7 |"),
        ([THEIRS, OTHER], "", ""),
    ],
    ids=["the first", "another", "the older of two", "nothing differs any more", "nothing differs"],
)
def test_the_comment(there: list[dict[str, object]], review: str, called: str, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "comments.json").write_text(json.dumps(there))
    (clone / "review.md").write_text(review)
    runner = Runner(clone, tmp_path / "home", {})
    runner.program("gh", GH)
    (step,) = runs(jobs()["review.yml comment"])
    runner.run(step, REPOSITORY="o/r", NUMBER="3", GH_TOKEN="t")
    assert ((clone / "called").read_text() if (clone / "called").exists() else "") == called
    assert MARKER in step["run"]
