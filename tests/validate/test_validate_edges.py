"""Bounds and references on plain data: every fault alone, at its edge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.validate import bounds, own, rules
from scripts.validate.documents import Document, Finding

GOOD: dict[str, dict[str, Any]] = {
    "compute": {"name": "gpu-cluster", "size": "Standard_X", "min_instances": 0, "max_instances": 2},
    "data": {"name": "some-data", "type": "uri_file"},
    "job": {"jobs": {"train": {"inputs": {"compute_finetune": "gpu-cluster", "num_nodes_finetune": 2}}}},
    "model": {"name": "a-model", "type": "mlflow_model", "tags": {"a": "1"}},
    "online_endpoint": {"name": "an-endpoint"},
    "online_deployment": {"name": "blue", "endpoint_name": "an-endpoint", "instance_count": 1},
}


def said(documents: dict[str, Document]) -> Iterator[Finding]:
    """Yields what this project's own demands and the rules for anyone's YAML find."""
    yield from own.check(documents)
    for document in documents.values():
        yield from rules.check(document, rules.OWN)


def found(kind: str = "", **changes: Any) -> dict[str, str]:
    """Returns what is said of good files, one of them with other keys."""
    files = {name: {**content, **(changes if name == kind else {})} for name, content in GOOD.items()}
    made = {name: Document(Path("x"), f"{name}.yml", name, content, {}) for name, content in files.items()}
    return {finding.key: finding.sentence for finding in said(made)}


def test_good_files_are_good() -> None:
    assert found() == {}


@pytest.mark.parametrize(
    ("kind", "changes", "key", "sentence"),
    [
        ("online_deployment", {"instance_count": 0}, "instance_count", "found 0, expected between 1 and 50"),
        ("online_deployment", {"instance_count": "51"}, "instance_count", "found 51, expected between 1 and 50"),
        ("online_deployment", {"instance_count": True}, "instance_count", "found True, expected a whole number"),
        ("online_deployment", {"instance_count": None}, "instance_count", "missing; add it"),
        ("online_deployment", {"readiness_probe": {"period": 0}}, "readiness_probe.period",
         "found 0, expected at least 1"),
        ("online_deployment", {"liveness_probe": {"success_threshold": 2}}, "liveness_probe.success_threshold",
         "found 2, expected between 1 and 1"),
        ("online_deployment", {"readiness_probe": {"success_threshold": 0}}, "readiness_probe.success_threshold",
         "found 0, expected at least 1"),
        ("online_deployment", {"request_settings": {"request_timeout_ms": 180_001}},
         "request_settings.request_timeout_ms", "found 180001, expected between 1 and 180000"),
        ("online_deployment", {"scale_settings": {"type": "x"}}, "scale_settings.type",
         "a managed deployment takes only default"),
        ("online_deployment", {"model": {"path": "x"}}, "model",
         "a model written here is taken for a local folder; deploying sets it"),
        ("online_deployment", {"name": "blue--1"}, "name",
         "'blue--1': a deployment name has letters, digits and single dashes, a letter first, no dash last"),
        ("compute", {"min_instances": -1}, "min_instances", "found -1, expected at least 0"),
        ("compute", {"max_instances": 0}, "max_instances", "found 0, expected at least 1"),
        ("compute", {"max_instances": None}, "max_instances", "missing; add it"),
        ("compute", {"size": ""}, "size", "missing; add it"),
        ("compute", {"idle_time_before_scale_down": 1.5}, "idle_time_before_scale_down",
         "found 1.5, expected a whole number"),
        ("compute", {"name": "ab"}, "name", "'ab' has 2 characters; a cluster name has 3 to 32"),
        ("data", {"type": "uri_fil"}, "type", "found 'uri_fil', expected uri_file (did you mean 'uri_file'?)"),
        ("data", {"name": "_x"}, "name", "'_x': a data name has letters, digits, - and _, a letter or digit first"),
        ("model", {"type": None}, "type", "found None, expected mlflow_model"),
        ("model", {"tags": {"a": 1}}, "tags.a", "found 1, expected text, so put it in quotes"),
        ("model", {"properties": {"a": True}}, "properties.a", "found True, expected text, so put it in quotes"),
        ("model", {"name": "a.b"}, "name", "'a.b': a model name has letters, digits, - and _, a letter or digit first"),
        ("online_endpoint", {"name": None}, "name", "'' has 0 characters; an endpoint name has 3 to 32"),
        ("job", {"jobs": {"a-b": {}}}, "jobs.a-b",
         "'a-b': a step name has lower-case letters, digits and underscores only, no digit first"),
    ],
)  # fmt: skip
def test_beyond_a_bound(kind: str, changes: dict[str, Any], key: str, sentence: str) -> None:
    assert found(kind, **changes)[key] == sentence


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("online_deployment", {"instance_count": 50}), ("online_deployment", {"instance_count": "7"}),
        ("online_deployment", {"liveness_probe": {"success_threshold": 1, "initial_delay": 1}}),
        ("online_deployment", {"request_settings": {"request_timeout_ms": 180_000,
         "max_concurrent_requests_per_instance": 1}}),
        ("online_deployment", {"scale_settings": {"type": "default"}}), ("online_deployment", {"model": "azureml:m:1"}),
        ("compute", {"idle_time_before_scale_down": 0}), ("model", {"tags": None}), ("model", {"tags": 3}),
        ("online_endpoint", {"traffic": {}}), ("online_endpoint", {"mirror_traffic": None}),
    ],
)  # fmt: skip
def test_within_the_bounds(kind: str, changes: dict[str, Any]) -> None:
    assert found(kind, **changes) == {}


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ({"a": 100}, None), ({"a": 60, "b": 40}, None), ({"a": 0}, None), ({"a": "100"}, None), ({"a": "x"}, None),
        ({"a": 60}, "shares are 0 or 100 per cent together, found 60"),
        ({"a": 60, "b": 60}, "shares are 0 or 100 per cent together, found 120"),
        ({"a": 101}, "shares are 0 to 100 per cent, found 101"),
        ({"a": -10, "b": 110}, "shares are 0 to 100 per cent, found -10, 110"),
    ],
)  # fmt: skip
def test_traffic(shares: dict[str, Any], sentence: str | None) -> None:
    set_here = "traffic cannot be set before the deployment exists; deploying sets it"
    assert found("online_endpoint", traffic=shares) == {"traffic": sentence or set_here}


@pytest.mark.parametrize(
    ("shares", "fault"),
    [({"a": 50}, False), ({"a": 51}, True), ({"a": 10, "b": 10}, True), ({"a": 101}, True), (5, False)],
)
def test_mirrored_traffic(shares: Any, fault: bool) -> None:
    said = found("online_endpoint", mirror_traffic=shares)["mirror_traffic"]
    assert ("deploying" not in said) == fault


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), ("3", 3), ("-3", -3), ("+3", 3), (True, None), (3.0, None), ("3.0", None), ("", None), (None, None),
     ("9" * 18, 10**18 - 1), ("9" * 19, None), ("x3", None)],
)  # fmt: skip
def test_whole_numbers_as_the_sdk_reads_them(value: Any, number: int | None) -> None:
    assert bounds.whole(value) == number


LATEST = "latest is another thing tomorrow: write the exact version"
REGISTRY = "it names no version: end it with /versions/<version>"
SHORT = "it names no version: write azureml:<name>:<version>"
PLACE = "expected azureml://registries/…, azureml://jobs/… or azureml://datastores/…"


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("azureml:a:1", ""), ("azureml:a-b_c.d:0.1", ""), ("azureml://jobs/x/outputs/y", ""),
        ("azureml://datastores/d/paths/p", ""),
        ("azureml://registries/r/models/m/versions/1", ""), ("${{parent.inputs.x}}", ""), ("other", ""),
        ("azureml:${{x}}", ""), ("azureml:a@latest", LATEST), ("azureml://registries/r/models/m/labels/latest", LATEST),
        ("azureml:a@stable", SHORT), ("azureml:a", SHORT), ("azureml:a:1:2", SHORT), ("azureml:", SHORT),
        ("azureml://registries/r/models/m", REGISTRY), ("azureml://registries/r/models/m/labels/x", REGISTRY),
        ("azureml://registries/r", REGISTRY), ("azureml://registries/r/models/m/versions/1/x", REGISTRY),
        ("azureml://nowhere/x", PLACE), ("azureml://jobs", PLACE),
    ],
)  # fmt: skip
def test_references_name_an_exact_version(reference: str, fault: str) -> None:
    expected = {"path.a": f"found {reference}; {fault}"} if fault else {}
    assert found("model", path={"a": reference}) == expected
    nested = {f"path.a.1.{'b'}": text for text in expected.values()}
    assert found("model", path={"a": ["x", {"b": reference}]}) == nested


def test_a_compute_has_no_version() -> None:
    assert found("model", compute="azureml:gpu-cluster") == {}


@pytest.mark.parametrize(
    ("kind", "changes", "key", "sentence"),
    [
        ("online_deployment", {"endpoint_name": "other"}, "endpoint_name",
         "found 'other', but endpoint.yml makes 'an-endpoint'"),
        ("compute", {"min_instances": 3}, "min_instances", "found 3, more than max_instances, 2"),
        ("compute", {"min_instances": "3"}, "min_instances", "found 3, more than max_instances, 2"),
        ("job", {"jobs": {"s": {"inputs": {"compute_x": "other"}}}}, "jobs.s.inputs.compute_x",
         "found 'other', but compute.yml makes 'gpu-cluster'"),
        ("job", {"jobs": {"s": {"inputs": {"compute_x": "azureml:gpu-cluster"}}}}, "jobs.s.inputs.compute_x",
         "found 'azureml:gpu-cluster', but compute.yml makes 'gpu-cluster'; write the bare name"),
        ("job", {"jobs": {"s": {"inputs": {"num_nodes_finetune": 3}}}}, "jobs.s.inputs.num_nodes_finetune",
         "found 3, but the cluster has at most 2; raise compute.max_instances"),
        ("compute", {"max_instances": 1}, "jobs.train.inputs.num_nodes_finetune",
         "found 2, but the cluster has at most 1; raise compute.max_instances"),
    ],
)  # fmt: skip
def test_files_fit_together(kind: str, changes: dict[str, Any], key: str, sentence: str) -> None:
    assert found(kind, **changes) == {key: sentence}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("compute", {"min_instances": 2}), ("compute", {"min_instances": None}),
     ("job", {"jobs": {"s": {"inputs": {"num_nodes_finetune": "many"}}}}), ("job", {"jobs": {"s": 3}})],
)  # fmt: skip
def test_files_that_fit(kind: str, changes: dict[str, Any]) -> None:
    assert found(kind, **changes) == {}


def test_a_finding_is_at_the_line_of_its_key_or_of_the_nearest_above() -> None:
    lines = {"a": 2, "a.b": 3}
    document = Document(Path("x"), "x.yml", "job", {"a": {"b": 1}}, lines)
    where = {key: document.finding(key, "s").where for key in ("a", "a.b", "a.b.c.d", "a.x", "z", "")}
    assert where == {
        "a": "x.yml:2",
        "a.b": "x.yml:3",
        "a.b.c.d": "x.yml:3",
        "a.x": "x.yml:2",
        "z": "x.yml:1",
        "": "x.yml:1",
    }
    assert (document.get("a.b"), document.get("a.b.c"), document.get("z")) == (1, None, None)
    assert str(document.finding("a", "s")) == "x.yml:2: a: s"
    assert str(document.finding("", "s")) == "x.yml:1: s"
