"""Recordings of Microsoft's tools become rows of the table, and leave behind whose they were."""

from __future__ import annotations

import json

import pytest
import yaml

from scripts.errors import UserError
from tests.azure.service.distil import combined, rows, text

GUID = "12345678-1234-1234-1234-123456789012"
URL = (
    f"https://management.azure.com/subscriptions/{GUID}/resourceGroups/secret-rg/providers/"
    "Microsoft.MachineLearningServices/workspaces/secret-ws/jobs/secret-job?api-version=2024-04-01"
)
BODY = {
    "id": f"/subscriptions/{GUID}/x",
    "name": "secret-job",
    "properties": {"jobType": "Command", "status": "Running"},
}
ERROR = {"error": {"code": "UserError", "message": "Job secret-job not found.", "details": [{"code": "JobNotFound"}]}}
DATE = "Tue, 04 Nov 2025 09:39:17 GMT"


def proxy(*answers, method="GET"):
    """Returns a recording of the SDK's test proxy."""
    entries = [
        {
            "RequestUri": URL,
            "RequestMethod": method,
            "RequestBody": None,
            "StatusCode": status,
            "ResponseHeaders": {
                "Date": DATE,
                "Content-Type": "application/json; charset=utf-8",
                "x-ms-request-id": GUID,
            },
            "ResponseBody": body,
        }
        for status, body in answers
    ]
    return {"Entries": entries}


def powershell(status, body):
    """Returns a recording of Azure PowerShell."""
    headers = {"Date": [DATE]}
    response = {"StatusCode": status, "Headers": headers, "Content": json.dumps(body), "isContentBase64": False}
    return {"x": {"Request": {"Method": "GET", "RequestUri": URL, "Content": None}, "Response": response}}


def cassette(status, body):
    """Returns a cassette of the CLI."""
    response = {"status": {"code": status}, "headers": {"date": [DATE]}, "body": {"string": json.dumps(body)}}
    return {"interactions": [{"request": {"method": "GET", "uri": URL, "body": None}, "response": response}]}


@pytest.mark.parametrize("form", ["proxy", "powershell", "cassette"])
def test_every_kind_of_recording_is_read(tmp_path, form):
    content = {"proxy": proxy((200, BODY)), "powershell": powershell(200, BODY), "cassette": cassette(200, BODY)}[form]
    path = tmp_path / ("r.yaml" if form == "cassette" else "r.json")
    path.write_text(yaml.safe_dump(content) if form == "cassette" else json.dumps(content))
    (row,) = rows(path, "somewhere")
    assert (row.ask, row.status, row.api, row.dates) == ("GET {ws}/jobs/{name}", 200, "2024-04-01", "2025-11-04")
    assert row.case == ("jobType=Command", "state:Running")
    assert row.answer["properties"] == {"jobType": "=Command", "status": "=Running"}
    assert row.source == "somewhere entry 0"


def test_a_row_keeps_nothing_of_anybody(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(proxy((200, BODY), (404, ERROR))))
    written = text(combined([], rows(path, "somewhere")))
    for word in (GUID, "secret-rg", "secret-ws", "secret-job"):
        assert word not in written
    assert "Job {name} not found." in written and "code:JobNotFound" in written


def test_the_same_case_widens_its_row_and_another_is_a_row_of_its_own(tmp_path):
    path = tmp_path / "r.json"
    more = {**BODY, "properties": {**BODY["properties"], "identity": None}}
    path.write_text(json.dumps(proxy((200, BODY), (200, more), (404, ERROR))))
    table = combined([], rows(path, "somewhere"))
    assert [(row.id, row.seen) for row in table] == [("jobs-get-200-1", 2), ("jobs-get-404-1", 1)]
    assert table[0].answer["properties"]["identity?"] == "none"
    again = combined(table, rows(path, "elsewhere"))
    assert [(row.id, row.seen) for row in again] == [("jobs-get-200-1", 4), ("jobs-get-404-1", 2)]


def test_what_was_there_before_is_a_case(tmp_path):
    path = tmp_path / "r.json"
    entries = proxy((404, ERROR))["Entries"] + proxy((201, BODY), (200, BODY), method="PUT")["Entries"]
    path.write_text(json.dumps({"Entries": entries}))
    cases = [row.case for row in rows(path, "")]
    assert "not there before" in cases[1] and "there before" in cases[2]


def test_another_file_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"a": {"b": 1}}))
    with pytest.raises(UserError, match="no recording of a known kind"):
        list(rows(path, ""))
