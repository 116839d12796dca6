"""An error of the SDK's schemas as sentences: a key each, with what was found and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.azure import client, schema_faults

DEPLOYMENT = "name: demo\nendpoint_name: e\ninstance_type: Standard_X\nmodel: azureml:m:1\ninstance_count: 1\n"


def faults(tmp_path: Path, kind: str, text: str) -> dict[str, str]:
    path = tmp_path / "document.yml"
    path.write_text(text)

    def value_of(key: str) -> Any:
        found = yaml.safe_load(text)
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    with pytest.raises(Exception) as caught:
        getattr(client.import_sdk(), f"load_{kind}")(source=path)
    return schema_faults.faults(caught.value, kind, value_of)


@pytest.mark.parametrize(("kind", "text", "key", "sentence"), [
    ("compute", "name: c\ntype: amlcompute\nvm_size: X\n", "vm_size", "unknown key (did you mean 'size'?); allowed: "),
    ("compute", "name: c\ntype: amlcompute\nmin_instances: many\n", "min_instances", "found 'many', expected integer"),
    ("online_endpoint", "name: e\nauth_mode: keys\n", "auth_mode",
     "found 'keys', allowed: aml_token, key, aad_token (did you mean 'key'?)"),
    ("online_endpoint", "name: e_p\n", "name", "found 'e_p', allowed: ^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"),
    ("online_deployment", DEPLOYMENT + "liveness_probe:\n  initial_dely: 5\n", "liveness_probe.initial_dely",
     "unknown key (did you mean 'initial_delay'?); allowed: failure_threshold, initial_delay, "),
    ("job", "type: pipeline\ntags:\n  n: 1\njobs: {}\n", "tags.n",
     "found 1, expected string, so put it in quotes: \"1\""),
    ("job", "type: pipeline\ntags:\n  n: true\njobs: {}\n", "tags.n",
     "found True, expected string, so put it in quotes: \"true\""),
    ("job", "type: pipeline\nfoo: 1\njobs: {}\n", "foo", "unknown key; allowed: component, compute, "),
    ("job", "type: command\ncommand: x\nenvironmen: x\n", "environment", "missing; add it"),
    ("job", "type: command\ncommand: x\nenvironmen: x\n", "environmen", "unknown key (did you mean 'environment'?)"),
    ("model", "path: x\n", "name", "missing; add it"),
    ("data", "name: d\ntype: uri_fil\npath: x\n", "type",
     "found 'uri_fil', allowed: uri_file, uri_folder, mltable (did you mean 'uri_file'?)"),
])  # fmt: skip
def test_a_refused_key_is_a_sentence(tmp_path: Path, kind: str, text: str, key: str, sentence: str) -> None:
    assert faults(tmp_path, kind, text)[key].startswith(sentence)


def test_what_no_schema_refused_is_no_fault_of_a_key(tmp_path: Path) -> None:
    assert faults(tmp_path, "job", "type: pipelin\n") == {}
    assert faults(tmp_path, "job", "name: [x\n") == {}


def test_the_first_sentence_of_a_page() -> None:
    page = "\x1b[31mThe key is wrong. Visit this link to refer to the schema\x1b[0m\nmore"
    assert schema_faults.sentence(page) == "The key is wrong"
    assert schema_faults.sentence("Wrong key Visit this link: http://x") == "Wrong key"
    assert schema_faults.sentence("\x1b[0m") == "the SDK refuses this file"
