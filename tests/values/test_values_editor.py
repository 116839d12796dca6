"""What an editor knows of the values: no fault in what is shipped, and the catalog's words as suggestions.

YAML_LANGUAGE_SERVER names the program of npm's package yaml-language-server: then it is asked itself.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scripts.files import ROOT
from scripts.strict_yaml import read_yaml
from scripts.values import editor_schema, schema
from scripts.values.read import environments
from tests.language_server import running

SERVER = os.environ.get("YAML_LANGUAGE_SERVER")
FILES = ["values.yaml", *(f"environments/{name}.yaml" for name in environments())]
AZURES = "Unable to load schema from 'https://azuremlschemas.azureedge.net/"  # where no network leads there
CODE = ("*.yaml", "*.yml", ":!tests/acceptance")


def faults(data: Any) -> list[str]:
    return [error.json_path for error in Draft202012Validator(editor_schema.build()).iter_errors(data)]


def test_the_file_is_what_is_made_of_schema_and_catalog():
    there = (ROOT / editor_schema.FILE).read_text(encoding="utf-8")
    assert there == editor_schema.text(), "run make docs and commit"


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_file_names_it_and_has_no_fault(name):
    path = ROOT / name
    first, _, _ = path.read_text(encoding="utf-8").partition("\n")
    leads = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / leads).resolve() == ROOT / editor_schema.FILE
    assert faults(read_yaml(path)[0]) == []


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({}, []),
        ({"compute": {"size": "Standard_ND128isr_GB300_v6"}}, []),  # which no catalog knows yet
        ({"model": {"version": None}, "compute": {"identity": None}, "tags": {"owner": None}}, []),
        ({"compute": {"identity": {"type": "user_assigned"}}}, []),  # the rest stands in values.yaml
        ({"compute": {"siez": "Standard_NC4as_T4_v3"}}, ["$.compute"]),
        ({"compute": {"size": "NC4as_T4_v3"}}, ["$.compute.size"]),
        ({"compute": {"tier": "spot"}}, ["$.compute.tier"]),
        ({"azure": {"region": "East US"}}, ["$.azure.region"]),
        ({"dataset": {"splits": {"validation": 0.9}}}, ["$.dataset.splits.validation"]),
    ],
    ids=str,
)
def test_a_file_may_hold_a_part_and_nothing_wrong(data, found):
    assert faults(data) == found


def test_what_is_suggested_is_taken():
    for key, words in editor_schema.suggestions().items():
        rule = schema.read(ROOT)
        for name in key.split("."):
            rule = rule["properties"][name]
        assert len(words) > 5 and len(set(words)) == len(words), key
        assert [word for word in words if not Draft202012Validator(rule).is_valid(word)] == []


@pytest.mark.skipif(not SERVER, reason="YAML_LANGUAGE_SERVER names no yaml-language-server (npm)")
class TestServer:
    """The server itself."""

    def test_no_fault_in_any_yaml(self):
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *CODE]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        assert set(FILES) <= set(listed)
        with running(Path(SERVER)) as server:
            found = {name: server.faults(ROOT / name) for name in listed}
        bad = {name: [each for each in said if AZURES not in each] for name, said in found.items()}
        assert {name: said for name, said in bad.items() if said} == {}

    def test_a_fault_is_seen(self, tmp_path):
        (tmp_path / "x.yaml").write_text(
            f"# yaml-language-server: $schema={ROOT / editor_schema.FILE}\ncompute: {{siez: 1}}\n"
        )
        with running(Path(SERVER)) as server:
            assert server.faults(tmp_path / "x.yaml") == ["2: Property siez is not allowed."]

    @pytest.mark.parametrize(
        ("folder", "leads"), [("environments", "editor.schema.json"), ("", str(editor_schema.FILE))]
    )
    def test_sizes_models_and_regions_are_offered(self, folder, leads):
        with running(Path(SERVER)) as server:
            for key, words in editor_schema.suggestions().items():
                *above, last = key.split(".")
                lines = [f"{'  ' * depth}{name}:" for depth, name in enumerate(above)]
                text = "\n".join([f"# yaml-language-server: $schema={leads}", *lines, f"{'  ' * len(above)}{last}: "])
                assert set(words) <= set(server.offers(ROOT / folder / "new.yaml", text)), key
