"""The shape of an answer: learnt from values, widened by more of them, and compared."""

from __future__ import annotations

import pytest
import yaml

from scripts.probe.exchanges import Exchange, compare, described, echoed, pick, recorded_places, similar
from scripts.probe.paths import masked, template
from scripts.probe.shapes import describe, differences, merge

WS = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
ARM = "https://management.azure.com"


def said(shape, value, **more):
    """Returns the differences as lines."""
    return [str(each) for each in differences(shape, value, **more)]


def test_a_value_has_its_own_shape():
    value = {
        "id": "/subscriptions/x",
        "type": "A/b",
        "name": "gpu",
        "tags": {"a": "b"},
        "at": "2024-07-24T08:34:22+00:00",
        "wait": "PT2M",
        "count": 1,
        "none": None,
        "items": [{"a": 1}, {"b": True}],
    }
    shape = describe(value)
    assert shape["type"] == "=A/b" and shape["id"] == "arm id" and shape["at"] == "time" and shape["wait"] == "duration"
    assert shape["items"] == [{"a?": "number", "b?": "yes/no"}]
    assert said(shape, value) == []
    assert yaml.safe_load(yaml.safe_dump(shape)) == shape


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"none": ...}, ".none is missing, Azure sends none"),
        ({"more": 1}, ".more is there, Azure sends none"),
        ({"count": "1"}, ".count is text, Azure sends number"),
        ({"at": "yesterday"}, ".at is text, Azure sends time"),
        ({"status": "Gone"}, ".status is 'Gone', Azure sends Failed | Succeeded"),
        ({"inner": [1]}, ".inner is a list, Azure sends object | none"),
        ({"items": [{"a": 1}, {"a": "x"}, {"a": "y"}]}, ".items[].a is text, Azure sends number"),
    ],
)
def test_every_difference_is_said(changed, line):
    one = {
        "none": None,
        "count": 1,
        "at": "2024-07-24T08:34:22Z",
        "status": "Failed",
        "inner": {"x": 1},
        "items": [{"a": 1}],
    }
    shape = merge(describe(one), describe({**one, "status": "Succeeded", "inner": None}))
    value = {key: each for key, each in {**one, **changed}.items() if each is not ...}
    assert said(shape, value) == [line]
    assert said(shape, one) == [] and said(shape, {**one, "inner": None}) == []


def test_more_recordings_widen_a_shape():
    first, second = {"a": 1, "b": None}, {"a": "x", "c": []}
    shape = merge(describe(first), describe(second))
    assert shape == {"a": "number | text", "b?": "none", "c?": []}
    assert said(shape, first) == said(shape, second) == []
    assert merge(None, "text") == merge("text", None) == "text"
    either = merge(describe([{"a": 1}]), "none")
    assert said(either, None) == said(either, [{"a": 2}]) == [] and said(either, {"a": 2})


def test_an_item_of_another_kind_is_not_judged_by_the_recording_of_a_page():
    page = describe({"value": [{"properties": {"jobType": "Command", "command": "echo"}}]})
    pipeline = {"properties": {"jobType": "Pipeline", "jobs": {}}}
    assert list(differences(page, {"value": [pipeline]})) == []
    (missing,) = differences(page, {"value": [pipeline, {"properties": {"jobType": "Command"}}]})
    assert str(missing) == ".value[].properties.command is missing, Azure sends text"


def test_what_a_request_said_may_come_back_with_any_recorded_word():
    row = Exchange("a", "GET {ws}/jobs", 200, answer={"jobType": "=Command", "properties": {"status": "=Running"}})
    other = Exchange("b", "GET {ws}/jobs", 200, answer={"jobType": "=Sweep", "properties": {"status": "=Queued"}})
    answer = {"jobType": "Sweep", "properties": {"status": "Queued"}}
    assert compare(row, {}, answer, echoed([row, other])) == []
    assert len(compare(row, {}, {**answer, "jobType": "Other"}, echoed([row, other]))) == 1


def test_headers_are_compared_by_what_they_lead_to():
    row = Exchange("a", "PUT {ws}/computes/{name}", 201, headers={"location": "{ws}/computes/{name}", "etag": ""})
    ours = {"location": f"{ARM}{WS}/computes/gpu?api-version=1", "etag": "x"}
    assert compare(row, ours, None, {}) == []
    assert [each.where for each in compare(row, {"location": f"{ARM}{WS}/jobs/x"}, None, {})] == ["location", "etag"]
    assert [str(each) for each in compare(row, ours, {"a": 1}, {})] == ["body is there, Azure sends none"]


def test_an_error_is_compared_by_codes_and_words():
    error = {"code": "UserError", "message": "Job one not found.", "details": [], "additionalInfo": []}
    chain = {"type": "InnerError", "info": {"value": {"code": "NotFound", "innerError": {"code": "JobNotFound"}}}}
    kept = described({**error, "additionalInfo": [chain]})
    assert kept["chain"] == ["NotFound", "JobNotFound"]
    row = Exchange("a", "GET {ws}/jobs/{name}", 404, error={**kept, "words": "Job {name} not found."})
    assert compare(row, {}, {"error": {**error, "additionalInfo": [chain]}}, {}) == []
    assert [each.where for each in compare(row, {}, {"error": error}, {})] == ["error.chain", "error.more"]
    assert similar("Job {name} not found.", "Job a-b.c not found.") and not similar("Job {name} not found.", "No job.")


def test_the_newest_row_of_a_case_is_picked_and_a_preview_for_a_preview():
    rows = [
        Exchange("old", "GET x", 200, ("page",), "2023-04-01-preview", dates="2022-01-01..2023-01-01"),
        Exchange("new", "GET x", 200, ("page", "more"), "2023-04-01-preview", dates="2024-01-01"),
        Exchange("stable", "GET x", 200, ("page",), "2024-04-01", dates="2025-01-01"),
    ]
    assert pick(rows, "GET x", 200, ["page"], "2023-08-01-preview").id == "new"
    assert pick(rows, "GET x", 200, ["page"], "2024-04-01").id == "stable"
    assert pick(rows, "GET x", 200, ["none"]) is None and pick(rows, "GET x", 404) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"{ARM}{WS}/computes/gpu?api-version=1", "{ws}/computes/{name}"),
        (
            f"{ARM}{WS}/onlineEndpoints/e/deployments/d/skus",
            "{ws}/onlineEndpoints/{name}/deployments/{deployment}/skus",
        ),
        (f"{ARM}{WS}/models/m/versions", "{ws}/models/{name}/versions"),
        (f"https://eastus.api.azureml.ms/history/v1.0{WS}/runs/r", "data:/history/v1.0{ws}/runs/{name}"),
        ("https://a.blob.core.windows.net/c/x/y?sig=s", "blob:/{container}/{blob}"),
        ("https://login.microsoftonline.com/t/oauth2/v2.0/token", "identity:/{tenant}/oauth2/v2.0/token"),
        ("https://example.com/x", "other:/x"),
    ],
)
def test_a_url_is_known_without_its_names(url, words):
    assert template(url) == words


def test_what_belongs_to_somebody_is_masked():
    url = f"{ARM}{WS.replace('/w', '/secret-ws')}/jobs/my-job"
    words = (
        "Job my-job of 'secret-ws' (11111111-2222-3333-4444-555555555555, me@example.com) at /subscriptions/s/x failed."
    )
    hidden = masked(words, url)
    assert hidden == "Job {name} of '{name}' ({guid}, {address}) at {arm-id} failed."


def test_what_the_user_wrote_is_any_value_and_a_resource_has_what_any_answer_about_it_had():
    shape = describe({"componentSpec": {"a": 1}, "description": ""})
    assert shape == {"componentSpec": "any", "description": "none | text"}
    assert said(shape, {"componentSpec": [1], "description": "x"}) == []
    one = Exchange("a", "GET {ws}/data/{name}/versions/{version}", 200, answer={"properties": {"stage": "text"}})
    page = Exchange(
        "b", "GET {ws}/data/{name}/versions", 200, answer={"value": [{"name": "text", "items": [{"x?": "text"}]}]}
    )
    assert recorded_places([one, page]) == {
        "{ws}/data/{name}/versions": {".properties", ".properties.stage", ".value", ".name", ".items", ".items[].x"}
    }
