"""The way round: what `make data` and `make data-check` are given is done, and what cannot be done has a sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.dataset.__main__ import command_line
from scripts.dataset.prepare import find_source, prepare
from scripts.dataset.settings import from_values
from scripts.errors import INVALID, MISSING, UNREACHABLE, UserError
from scripts.files import ROOT
from scripts.render import raw_input
from tests.dataset.samples import as_jsonl, ids, rows


def make(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", f"VENV={Path(sys.prefix)}", *words]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("FILE", "SET", "DATASET", "OUTPUT")
    }
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)


def recipe(*words: str) -> list[str]:
    """Returns the words after `python -m` of the first command that a target would run."""
    import shlex

    shown = make(
        "-n", "-o", str(Path(sys.prefix) / ".installed-core"), "-o", str(Path(sys.prefix) / ".installed-local"), *words
    )
    line = next(line for line in shown.stdout.splitlines() if "scripts.dataset" in line)
    return shlex.split(line)[shlex.split(line).index("scripts.dataset") + 1 :]


def test_make_data_check_takes_a_file_and_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my chats.jsonl"
    path.write_text("\n".join(json.dumps({"frage": f"Was ist {at}?", "antwort": "Eine Zahl."}) for at in range(40)))
    layout = "dataset.layout.format=prompt_response dataset.layout.prompt=frage dataset.layout.response=antwort"
    words = recipe("data-check", "ENV=demo", f"FILE={path}", f"SET={layout}", "OUTPUT=json")
    assert command_line(words) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["my chats"]["kept"] == 40


def test_make_data_obeys_the_percentage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    as_jsonl(tmp_path / "a.jsonl", rows(400))
    for given, count in (("SET=dataset.percent=50", range(150, 250)), ("SET=", range(400, 401))):
        words = recipe("prepare", "ENV=demo", f"DATASET={tmp_path / 'a.jsonl'}", given)
        assert command_line([*words, "--folder", str(tmp_path / "out"), "-o", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["read"]["a"]["in"] in count


def test_make_data_report_writes_the_report_again_where_no_job_has_prepared_the_data() -> None:
    done = make("-o", str(Path(sys.prefix) / ".installed-local"), "data-report", "ENV=demo", "PY=echo run")
    assert (done.returncode, done.stdout) == (0, "run -m scripts.dataset report --env demo\n")


def test_make_data_refuses_another_source_where_the_pipeline_prepares() -> None:
    done = make("-n", "data", "ENV=demo", "DATASET=a.jsonl", "IN_PIPELINE=x")
    assert done.returncode == 2 and "DATASET is for data that is prepared here" in done.stderr


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("https://example.org/a/chats.jsonl?x=1", r"`curl -LO 'https://.*/chats.jsonl\?x=1'`, and give chats.jsonl$"),
        ("https://huggingface.co/datasets/owner/name/tree/main", "give the data set's id: owner/name$"),
        ("hf://datasets/owner/name@main/train.jsonl", "give the data set's id: owner/name$"),
        ("s3://bucket/chats", r"`aws s3 cp --recursive 's3://bucket/chats' data-in`, and give data-in"),
        ("gs://bucket/chats", "gcloud storage cp -r"),
        ("azureml:chats:1", "set dataset.where: azureml, which prepares it in the pipeline"),
        ("azureml://datastores/blob/paths/chats", "set dataset.where: azureml"),
        ("abfss://chats@lake.dfs.core.windows.net/a.jsonl", "az ml data create .* dataset.source: azureml:chat-data:1"),
        ("wasbs://chats@store.blob.core.windows.net/a.jsonl", "download it with azcopy"),
        ("file:///home/me/a.jsonl", "give the path without file: '/home/me/a.jsonl'"),
        ("sftp://host/a.jsonl", "is an address that is not read"),
    ],
)  # fmt: skip
def test_an_address_is_answered_with_the_way_to_the_data(source: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        find_source(from_values({"dataset": {"source": source}}))
    assert str(caught.value).startswith(f"dataset.source: {source}: ") and caught.value.code == INVALID
    with pytest.raises(UserError):
        command_line(["check", source, "--env", "demo"])


@pytest.mark.parametrize(
    "source", ["a:b.jsonl", "c:/data/a.jsonl", "a" * 5000, "a\0b", "~nobody-of-this-name/a.jsonl", "["]
)
def test_a_strange_name_is_no_file(source: str) -> None:
    with pytest.raises(UserError, match=r"no such file|no file matches") as caught:
        find_source(from_values({"dataset": {"source": source}}))
    assert caught.value.code == MISSING


def test_only_the_values_own_source_has_a_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    demo = "scripts/catalog/demo"
    words = ["prepare", "--env", "demo", "--folder", str(tmp_path / "out"), "--fallback", demo]
    with pytest.raises(
        UserError, match=f"check spelling and network.*; {demo} stands in for the values' own"
    ) as caught:
        command_line([*words, "--source", "owner/typo"])
    assert caught.value.code == UNREACHABLE and not (tmp_path / "out").exists()
    splits = {"train": "train_sft", "validation": 0.05, "test": "test_sft", "heldout": "test_gen"}
    settings = from_values({"dataset": {"source": "owner/own", "splits": splits}})
    code, manifest, _ = prepare(settings, tmp_path / "out", demo, say=lambda line: None, stream=None)
    assert code == 0 and manifest["fallback"]["took"] == demo


def test_an_own_file_is_told_once_what_is_bound_to_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    as_jsonl(tmp_path / "a.jsonl", rows(400))
    words = ["prepare", "--env", "demo", "--folder", str(tmp_path / "out"), "--source", str(tmp_path / "a.jsonl")]
    assert command_line(words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("takes") == 4 and "train_sft" not in said and "test_sft" not in said
    assert said.startswith(f"{tmp_path / 'a.jsonl'}: train takes every row, validation takes 5 % of train, ")
    assert ids(tmp_path / "out") == set(range(400))


def test_the_limit_of_left_out_rows_is_a_value() -> None:
    for wrong in (-1, 101):
        with pytest.raises(UserError, match=r"dataset.max_left_out: found"):
            from_values({"dataset": {"max_left_out": wrong}})


def test_the_pipeline_takes_the_same_endings() -> None:
    for name in ("a.jsonl", "a.csv.gz", "a.jsonl.bz2", "a.json.xz", "a.zip", "a.arrow"):
        assert raw_input(f"data-in/{name}") == {"type": "uri_file", "path": f"../../data-in/{name}"}
    assert raw_input("owner/name") is None and raw_input("data-in/chats/")["type"] == "uri_folder"
