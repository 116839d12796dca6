"""Whom an evaluation asks where an endpoint's traffic is split."""

from types import SimpleNamespace

from scripts.conversation.endpoint import HEADER
from scripts.evaluate import compare
from scripts.values.read import load


class Client:
    """An endpoint with two deployments, of two versions."""

    def __init__(self, traffic):
        found = SimpleNamespace(
            name="e", traffic=traffic, provisioning_state="Succeeded", scoring_uri="https://e", auth_mode="key"
        )
        self.online_endpoints = SimpleNamespace(
            get=lambda name: found, get_keys=lambda name: SimpleNamespace(primary_key="k")
        )
        self.online_deployments = SimpleNamespace(get=self._deployment)

    def _deployment(self, name, on):
        version = 1 if name == "demo" else 2
        return SimpleNamespace(name=name, model=f"azureml:m:{version}", instance_count=1, request_settings=None)


def test_of_split_traffic_only_the_deployment_with_this_version_is_asked():
    asked = compare._serving(load("demo"), Client({"demo": 60, "demo-2": 40}), "m:1", [])
    assert asked and asked.headers()[HEADER] == "demo"
    assert compare._serving(load("demo"), Client({"demo": 40, "demo-2": 60}), "m:1", []) is None
