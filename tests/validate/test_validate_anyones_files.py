"""Anyone's YAML: which files are Azure ML's, what is skipped, and how findings come out."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from scripts.azure import document_kinds, machine_sizes, sdk_private
from scripts.errors import UserError
from scripts.files import ROOT
from scripts.validate import anyones, rules, sdk
from scripts.validate.__main__ import run
from scripts.values.read import environments

BASE = "https://azuremlschemas.azureedge.net/latest/"
WRONG = f"$schema: {BASE}amlCompute.schema.json\nname: gpu-cluster\nsize: Standard_NC6\n"
RIGHT = "type: amlcompute\nname: gpu-cluster\nsize: Standard_NC40ads_H100_v5\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of Azure ML and others, in the folder that commands run in."""
    for name, text in {
        "a/wrong.yml": WRONG,
        "a/b/right.yaml": RIGHT,
        "a/conda.yml": "name: env\nchannels: [x]\ndependencies: [python]\n",
        "a/list.yml": "- 1\n",
        "a/broken.yml": "a: [\n",
        "a/two.yml": "a: 1\n---\nb: 2\n",
        "a/bomb.yml": "x: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8)),
        "a/loop.yml": "a: &x {b: *x}\n",
        "a/binary.yml": "",
        "a/.git/x.yml": WRONG,
        "a/notes.txt": WRONG,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "a/binary.yml").write_bytes(b"\xff\xfe\x00")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"$schema: {BASE}pipelineJob.schema.json", "job"), (f"$schema: {BASE}somethingNew.schema.json", "other"),
        ("$schema: http://azureml/sdk-2-0/CommandComponent.json", "component"),
        ("$schema: https://json.schemastore.org/github-workflow.json\njobs: {}\ntype: pipeline", ""),
        ("type: pipeline\njobs: {}", "job"), ("type: command\ncommand: x\nenvironment: y", "command_job"),
        ("type: command\ncommand: x", ""), ("on: push\njobs: {}", ""), ("name: x\nimage: y", ""),
        ("name: a\nauth_mode: key", "online_endpoint"), ("type: mlflow_model\npath: x", "model"),
        ("name: b\nendpoint_name: a\ninstance_type: x", "online_deployment"), ("type: uri_file\npath: x", ""),
        ("type: uri_file\npath: x\nname: d", "data"), ("type: command\nname: c\nversion: 1\ncommand: x", "component"),
        ("apiVersion: v1\nkind: Service\ntype: kubernetes", ""), ("$schema: 3", ""), ("{}", ""),
    ],
)  # fmt: skip
def test_a_kind_is_told_by_schema_type_or_shape(text: str, kind: str) -> None:
    assert document_kinds.kind_of(yaml.safe_load(text)) == kind


def test_every_kind_has_a_schema_of_the_sdk_and_the_rules_cover_each_file_of_ours() -> None:
    assert {each.kind for each in document_kinds.kinds()} == sdk_private.KINDS
    for environment in environments():
        for folder in ("pipelines", "endpoints"):
            report = anyones.look([str(ROOT / folder / environment)], datetime.date(2025, 1, 1))
            assert [str(each) for each in report.findings if each.level == "error"] == []
            assert report.files


def test_series_and_sizes_agree_on_retirements() -> None:
    for size in machine_sizes.catalog().values():
        found = machine_sizes.retirement(size.name)
        if size.retires:
            assert found and found[1] == size.retires, size.name
        else:
            assert not found or found[1].year > 2027, size.name


def test_what_is_none_of_azure_mls_is_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--file", "a"]) == 4
    out, err = capsys.readouterr()
    assert out == "2 files of Azure ML, 7 others skipped: 1 error\nretired-size 1\n"
    assert err.startswith("error: a/wrong.yml:3: size: found Standard_NC6: Azure retired the NC series on 2023-08-31")
    assert err.endswith("[retired-size]\n")


@pytest.mark.parametrize(
    ("named", "files"),
    [(["a/wrong.yml"], 1), (["a/*.yml"], 1), (["a/**/*.y*ml", "a/wrong.yml"], 2), (["a/notes.txt"], 1)],
)  # fmt: skip
def test_files_folders_and_patterns(folder: Path, named: list[str], files: int) -> None:
    looked = {name for name in anyones.look(named, datetime.date(2020, 1, 1)).files if ".git" not in name}
    assert len(looked) == files


@pytest.mark.parametrize("name", ["nothing.yml", "*.no", "empty", "a/[.yml"])
def test_a_name_that_gives_no_file_is_refused(folder: Path, name: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match="name a file, a folder or a pattern in quotes"):
        anyones.look([name], datetime.date(2020, 1, 1))


def test_warnings_alone_are_no_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "w.yml").write_text(f"$schema: {BASE}commandJob.schema.json\ncommand: x\nenvironment: azureml:e@latest\n")
    assert run(["--file", "w.yml"]) == 0
    assert "warning: w.yml:3: environment: found azureml:e@latest" in capsys.readouterr().err


def test_json_junit_and_sarif_say_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a/b/ä w.yml").write_text(WRONG)
    assert run(["--file", "a", "-o", "json", "--junit", "j.xml", "--sarif", "s.sarif"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert (told["exit_code"], told["skipped"], len(told["files"])) == (4, 7, 3)
    assert [(each["file"], each["line"], each["rule"]) for each in told["findings"]] == [
        ("a/b/ä w.yml", 3, "retired-size"), ("a/wrong.yml", 3, "retired-size")
    ]  # fmt: skip
    suite = ElementTree.parse("j.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["a/b/ä w.yml", "a/wrong.yml"]
    log = json.loads(Path("s.sarif").read_text())
    (result, _), (result_run,) = log["runs"][0]["results"], log["runs"]
    assert (log["version"], "sarif" in log["$schema"]) == ("2.1.0", True)
    listed = result_run["tool"]["driver"]["rules"]
    assert {rule.name for rule in rules.RULES} | set(rules.OTHERS) == {rule["id"] for rule in listed}
    assert listed[result["ruleIndex"]]["id"] == result["ruleId"] == "retired-size"
    assert all(rule["shortDescription"]["text"] for rule in listed)
    assert result["level"] == "error"
    assert result["message"]["text"].startswith("size: found Standard_NC6")
    assert result["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "a/b/%C3%A4%20w.yml"}, "region": {"startLine": 3}}}
    ]


def test_an_environments_findings_come_out_the_same_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "s.sarif"
    assert run(["--env", "prod", "--set", "azure.region=mars", "-o", "json", "--sarif", str(target)]) == 4
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["file"], found["line"], found["rule"]) == ("--set", 0, "values")
    (result,) = json.loads(target.read_text())["runs"][0]["results"]
    assert "locations" not in result  # there is no file to show it in


def test_without_the_sdk_it_is_said_that_keys_were_not_looked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sdk, "is_installed", lambda: False)
    (folder / "k.yml").write_text(RIGHT + "siez: x\n")
    assert run(["--file", "k.yml"]) == 0
    assert "unknown keys were not looked for" in capsys.readouterr().err


def test_the_hook_needs_no_package_but_pyyaml(folder: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert hook["entry"] == "azureml-validate --file"
    assert project["project"]["scripts"] == {"azureml-validate": "scripts.validate.anyones:main"}
    assert hook["additional_dependencies"] == [each for each in project["dependency-groups"]["core"] if "yaml" in each]
    program = (
        "import sys; known = set(sys.modules); sys.path.insert(0, sys.argv.pop(1))\n"
        "from scripts.validate import anyones, sdk; sdk.is_installed = lambda: False\n"
        "code = anyones.run(['--file', 'a/wrong.yml'])\n"
        "more = {name.partition('.')[0] for name in set(sys.modules) - known} - set(sys.stdlib_module_names)\n"
        "print(code, sorted(name for name in more if 'cython' not in name and name != '_yaml'))"
    )
    shown = subprocess.run([sys.executable, "-c", program, str(ROOT)], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "4 ['scripts', 'yaml']"


DAY = datetime.date(2026, 1, 1)
# The same key again and again, each with all of the one before.
REPEATED = "a: &a0 {b: 1}\n" + "".join(f"a: &a{n} {{{f'b: *a{n - 1}, ' * 9}}}\n" for n in range(1, 20))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        # another program's, though it speaks of Azure ML: the labels and the ingress of a Kubernetes cluster, a chart
        (b"kind: Deployment\nmetadata: {name: azureml-fe}\n---\nkind: Service\n", ""),
        (b"# azureml\na: *nowhere\n", ""),
        (f"$schema: {BASE}job\n{{% if x %}}\n".encode(), ""),
        ((WRONG + "---\nname: b\n").encode(), "x.yml:4: another document begins here, and Azure ML reads files of one"),
        ((WRONG + "description: caf\u00e9\n").encode("latin-1"), "x.yml:1: not UTF-8 text (byte "),
        (WRONG.encode("utf-16"), "x.yml:1: not UTF-8 text (byte 0)"),
        (f"{WRONG}version: 0x{'f' * 5000}".encode(), "x.yml:1: not valid YAML: a number of thousands of digits"),
        ((WRONG + REPEATED).encode(), ""),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.yml").write_bytes(content)
    found = [str(each) for each in anyones.look([f"{tmp_path}/x.yml"], DAY).findings]
    assert (len(found) == 1 and found[0].startswith(f"{tmp_path.as_posix()}/{said}")) if said else not found


def test_what_is_no_file_hinders_none(folder: Path) -> None:
    (folder / "a/nowhere.yml").symlink_to("nothing")
    (folder / "a/self.yml").symlink_to("self.yml")
    os.mkfifo(folder / "a/pipe.yml")
    assert anyones.look(["a"], DAY).files == ("a/b/right.yaml", "a/wrong.yml")


def test_no_text_of_a_file_steers_a_terminal_or_breaks_a_report(folder: Path) -> None:
    name = os.fsdecode(b"\x1b[31m\xff\n.yml")
    Path(name).write_text(f'$schema: {BASE}commandJob.schema.json\nenvironment: "azureml:\\e[31m\\x01@latest"\n')
    assert run(["--file", name, "--junit", "out.xml", "--sarif", "out.sarif"]) == 0
    assert "\\x1b[31m\\x01@latest" in str(ElementTree.parse("out.xml").getroot()[0][0].text)
    assert json.loads(Path("out.sarif").read_text())["runs"][0]["results"]


def test_findings_are_not_written_over_what_was_looked_at(folder: Path) -> None:
    for option in ("--junit", "--sarif"):
        with pytest.raises(UserError, match=r"a/wrong.yml: is what was looked at"):
            run(["--file", "a", option, "./a/wrong.yml"])
    assert Path("a/wrong.yml").read_text() == WRONG
