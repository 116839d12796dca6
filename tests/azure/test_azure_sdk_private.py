"""Every private name of azure-ai-ml that is used, in the pinned version: what fails here names what went away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from azure.ai.ml import Input
from azure.ai.ml.entities import Model

from scripts.azure import sdk_private
from scripts.errors import UserError
from scripts.files import ROOT
from scripts.private_names import look_up


@pytest.mark.parametrize("path", sdk_private.PATHS)
def test_is_there(path: str) -> None:
    look_up(sdk_private.PACKAGE, path)


@pytest.mark.parametrize("path", ["azure.ai.ml._gone", "azure.ai.ml:_gone", "azure.ai.ml.entities:Model._gone.more"])
def test_what_went_away_is_named_with_the_version(path: str) -> None:
    with pytest.raises(UserError, match=rf"^azure-ai-ml [0-9.]+ has no {path} ") as caught:
        look_up(sdk_private.PACKAGE, path)
    assert caught.value.code == 1


def test_names_that_only_an_instance_has() -> None:
    assert sdk_private.system_metadata(Model(name="m", path="p")) is None
    assert sdk_private.to_dict(Input(type="uri_file", path="p"))["type"] == "uri_file"
    with pytest.raises(UserError, match=r"azure-ai-ml \S+ has no builtins:object\._system_metadata"):
        sdk_private.system_metadata(object())


def test_words_of_the_wire() -> None:
    assert sdk_private.wire_word("JobStatus", "COMPLETED") == "Completed"
    assert sdk_private.wire_word("JobStatus", "NOSUCH") is None
    assert sdk_private.wire_word("NoSuch", "COMPLETED") is None


@pytest.mark.parametrize("kind", sdk_private.SCHEMAS)
def test_a_schema_tells_its_keys(kind: str) -> None:
    fields = sdk_private.fields(sdk_private.schema(kind))
    assert "name" in fields
    assert sdk_private.fields(fields["name"]) == {}


def test_the_schema_that_a_message_names_comes_first() -> None:
    message = "Validation for CommandJobSchema failed:\n{}"
    assert sdk_private.schema("job", message).__name__ == "CommandJobSchema"
    assert sdk_private.schema("job", "something else").__name__ == "PipelineJobSchema"
    assert sdk_private.schema("nosuch") is None
    probe = sdk_private.fields(sdk_private.schema("online_deployment"))["liveness_probe"]
    assert "initial_delay" in sdk_private.fields(probe)


def test_they_are_used_nowhere_else() -> None:
    pattern = re.compile(
        r"\bazure\.ai\.ml[.\w]*\._|\._(to_dict|to_job|validate|load|system_metadata|declared_fields)\b"
    )
    users = {path.relative_to(ROOT).as_posix() for path in (ROOT / "scripts").rglob("*.py") if _uses(path, pattern)}
    assert users == {"scripts/azure/sdk_private.py"}


def _uses(path: Path, pattern: re.Pattern[str]) -> bool:
    return any(pattern.search(line) and "self._" not in line for line in path.read_text().splitlines())
