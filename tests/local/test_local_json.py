"""Bodies that are no JSON, or odd JSON, are refused in Azure's envelope, and nothing of them is stored."""

from __future__ import annotations

import json
import re

import pytest
import requests

from scripts.files import ROOT
from scripts.local.resources.forms import form
from tests.local.wire import API, Wire

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"properties":' * 100_000, "nested too deeply"),
        (b'{"properties": {"description": ' + b'{"a":' * 70 + b"1" + b"}" * 72, "nested too deeply"),
        (b'{"properties": {"description": "\\ud800"}}', "surrogates not allowed"),
        (b'{"properties": {"description": NaN}}', "NaN is no number"),
        (b'{"properties": {"description": -Infinity}}', "-Infinity is no number"),
        (b'{"properties": {"tags": {"a": 1e999}}}', "1e999 is too large"),
        (b'{"properties": {"tags": {"a": ' + b"9" * 5000 + b"}}}", "4300 digits"),
        (b'{"properties": {}, "properties": {}}', "the key 'properties' stands in an object twice"),
        (b'{"properties": {"tags": {"a": "1", "a": "2"}}}', "the key 'a' stands in an object twice"),
        (b"\xff\xfe{}", "not JSON"),
        ('{"properties": {}}'.encode("utf-16"), "not JSON"),
        (b'{"properties": {"description": "\xe9"}}', "not JSON"),
        (b"{'properties': {}}", "not JSON"),
        (b'{"properties": {}} {}', "not JSON"),
        (b"7", "must be a JSON object, not int"),
        (b"", "not JSON"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["data/odd/versions/1", "jobs/odd", "onlineEndpoints/odd-ep"])
def test_json_that_is_none_is_refused_in_azures_envelope(local, kind, body, words):
    wire = Wire(local)
    url = f"https://management.azure.com{wire.workspace}/{kind}?api-version=2024-04-01"
    answer = requests.put(url, data=body, headers=JSON | wire.headers, timeout=10)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "InvalidRequestContent"
    assert words in error["message"]
    assert wire.ask("GET", kind).status_code == 404


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "", None])
def test_another_media_type_is_refused_as_by_azure(local, media):
    wire, name = Wire(local), local.name("media")
    url = f"https://management.azure.com{wire.workspace}/data/{name}?api-version=2024-04-01"
    headers = wire.headers | ({} if media is None else {"Content-Type": media})
    answer = requests.put(url, data=b'{"properties": {}}', headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UnsupportedMediaType")
    assert wire.ask("PUT", f"data/{name}", {"properties": {}}).status_code == 201
    plain = {"Content-Type": "Application/JSON; charset=utf-8"} | wire.headers
    assert requests.put(url, data=b'{"properties": {}}', headers=plain, timeout=10).status_code == 200


def test_a_null_in_a_list_is_shown_as_one():
    shown = form("job_command").complete({"properties": {"resources": {"locations": [None, "eastus"]}}})
    assert json.loads(json.dumps(shown))["properties"]["resources"]["locations"] == [None, "eastus"]


def test_every_body_is_read_by_the_form_of_its_resource():
    """But of questions that store nothing, whose handlers refuse in recorded words, and of the clock, which is ours."""
    found = []
    for path in sorted((ROOT / "scripts" / "local").rglob("*.py")):
        text = re.sub(r"form\((?:[^()]|\([^()]*\))*\)\.read\(\s*call\.json\(\)", "", path.read_text())
        found += [path.stem for _ in re.findall(r"call\.json\(\)", text)]
    assert found == ["control", "datastores", "deployments", "endpoints", "jobs"]


def test_a_body_of_many_megabytes_is_refused_without_being_read(local):
    wire = Wire(local)
    url = f"https://management.azure.com{wire.workspace}/data/huge/versions/1?api-version={API}"
    body = b'{"properties": {"tags": [' + b"1," * (3 * 2**20) + b"1]}}"
    for content in (body, iter([body])):  # with its length, and in chunks
        answer = requests.put(url, data=content, headers=wire.headers | JSON, timeout=30)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "RequestContentTooLarge"
