"""The rules of autoscaling: the commands of az that write them, for the deployment that serves, again and again."""

import subprocess
import sys

import pytest
import yaml

from scripts import render
from scripts.chain import autoscale
from scripts.errors import MISSING
from scripts.values.names import endpoint_id
from scripts.values.read import load
from tests.chain.world import NOT_KNOWN, refused

RULES = (
    "deployment.instance_count=2", "deployment.autoscale.min=2", "deployment.autoscale.max=5",
    "deployment.autoscale.scale_out={metric: CpuUtilizationPercentage, above: 70, minutes: 5, by: 2}",
    "deployment.autoscale.scale_in={metric: RequestsPerMinute, below: 2.5, minutes: 10, by: 1, cooldown: 20}",
)  # fmt: skip
WHERE = ["--subscription", "s", "--resource-group", "g"]
COUNTS = ["--min-count", "2", "--max-count", "5", "--count", "2"]

ALWAYS = {"-o", "--subscription", "--resource-group"}
OPTIONS = {  # of az monitor autoscale (azure-cli's command_modules/monitor, _params.py and _help.py, 2026)
    "list": ALWAYS,
    "create": ALWAYS | {"--name", "--resource", "--min-count", "--max-count", "--count"},
    "update": ALWAYS | {"--name", "--min-count", "--max-count", "--count", "--enabled"},
    "rule create": ALWAYS | {"--autoscale-name", "--condition", "--scale", "--cooldown", "--resource"},
    "rule delete": ALWAYS | {"--autoscale-name", "--index"},
}


@pytest.fixture
def scaled(world):
    """Demo's run with rules, and a deployment that serves."""
    world.run = world.with_values(*RULES)
    render.write(render.render(world.run.values, data_version=""), "demo", world.root)
    world.thing(world.on, "Succeeded", traffic={"demo": 10, "demo-2": 90})
    for name in ("demo", "demo-2"):
        world.thing(f"deployment/{name}", "Succeeded")
    world.of = f"{endpoint_id(world.run.values)}/deployments/"
    world.name = f"autoscale-{world.on.removeprefix('endpoint/')}-demo-2"
    return world


def written(world):
    """The commands of az monitor that write; each has options of azure-cli's reference only."""
    for words in world.get()["calls"]:
        if words[0] == "autoscale":
            command = " ".join(words[1 : 2 + (words[1] == "rule")])
            assert {word for word in words if word.startswith("-")} <= OPTIONS[command]
    return [words for words in world.get()["calls"] if words[0] == "autoscale" and words[1] != "list"]


def test_the_rules_are_given_to_the_deployment_with_the_most_traffic(scaled, capsys):
    autoscale.apply(scaled.run)
    end = ["-o", "none", *WHERE]
    out = ["--condition", "CpuUtilizationPercentage > 70 avg 5m", "--scale", "out", "2"]
    shrink = ["--condition", "RequestsPerMinute < 2.5 avg 10m", "--scale", "in", "1", "--cooldown", "20"]
    rule = ["autoscale", "rule", "create", "--autoscale-name", scaled.name]
    assert written(scaled) == [
        ["autoscale", "create", "--name", scaled.name, "--resource", f"{scaled.of}demo-2", *COUNTS, *end],
        [*rule, *out, *end],
        [*rule, *shrink, "--resource", endpoint_id(scaled.run.values), *end],
    ]
    assert "2 to 5 machines, each billed while it is there" in capsys.readouterr().out.replace("\n  ", " ")


def test_once_more_and_after_a_stop_the_end_is_the_same(scaled):
    autoscale.apply(scaled.run)
    key = f"autoscale/{scaled.name}"
    end = scaled.get()["things"][key]
    before = len(written(scaled))
    autoscale.apply(scaled.run)
    assert [words[1] for words in written(scaled)[before:]] == ["update", "rule", "rule", "rule"]
    assert written(scaled)[before][2:] == ["--name", scaled.name, *COUNTS, "--enabled", "true", "-o", "none", *WHERE]
    scaled.say("autoscale rule", {}, NOT_KNOWN)  # the second rule command fails
    _, sentence = refused(autoscale.apply, scaled.run)
    assert "make autoscale ENV=demo writes it anew" in sentence
    autoscale.apply(scaled.run)
    assert scaled.get()["things"][key] == end
    assert len(end["rules"]) == 2


def test_a_predecessors_setting_is_off_and_others_stay(scaled):
    own = scaled.name.removesuffix("-2")
    scaled.has(
        **{
            f"autoscale__{own}": {"of": f"{scaled.of}demo".upper(), "rules": []},
            "autoscale__a-persons": {"of": f"{scaled.of}other", "rules": []},
            "autoscale__of-another": {"of": "/subscriptions/s/…/onlineEndpoints/x/deployments/demo-2", "rules": []},
        }
    )
    autoscale.apply(scaled.run)
    enabled = {key.partition("/")[2]: thing.get("enabled") for key, thing in scaled.get()["things"].items()}
    assert {name: enabled[name] for name in (own, scaled.name, "a-persons", "of-another")} == {
        own: "false", scaled.name: "true", "a-persons": None, "of-another": None,
    }  # fmt: skip
    traffic = {"demo": 100, "demo-2": 0}  # and back
    scaled.thing(scaled.on, "Succeeded", traffic=traffic)
    autoscale.apply(scaled.run)
    things = scaled.get()["things"]
    assert [things[f"autoscale/{name}"]["enabled"] for name in (own, scaled.name)] == ["true", "false"]


def test_one_that_somebody_made_for_the_deployment_is_the_one_that_is_changed(scaled):
    scaled.has(autoscale__mine={"of": f"{scaled.of}demo-2", "rules": ["old"]})
    autoscale.apply(scaled.run)
    assert len(scaled.get()["things"]["autoscale/mine"]["rules"]) == 2
    assert f"autoscale/{scaled.name}" not in scaled.get()["things"]


def test_without_rules_or_traffic_nothing_is_written(scaled, world):
    world.thing(world.on, "Succeeded", traffic={"demo": 0})
    code, sentence = refused(autoscale.apply, world.run)
    assert (code, written(world)) == (MISSING, [])
    assert "no deployment has traffic; make deploy ENV=demo makes one" in sentence
    _, sentence = refused(autoscale.apply, world.with_values())
    assert "values.yaml" in sentence and "deployment.autoscale: sets no rules" in sentence


def test_rules_that_were_taken_out_are_switched_off(scaled, capsys):
    autoscale.apply(scaled.run)
    before = len(written(scaled))
    scaled.has(**{"autoscale__a-persons": {"of": f"{scaled.of}demo", "rules": []}})
    autoscale.apply(scaled.with_values())
    end = ["-o", "none", *WHERE]
    assert written(scaled)[before:] == [["autoscale", "update", "--name", scaled.name, "--enabled", "false", *end]]
    said = " ".join(capsys.readouterr().out.split())
    assert said.endswith("off, as deployment.autoscale sets no rules; deployment demo-2 keeps the machines that it has")


def test_localhost_has_none_and_says_so():
    words = [sys.executable, "-m", "scripts.az_ml", "monitor", "autoscale", "list"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the local Azure ML has none: nothing scales here" in done.stderr


def test_the_keys_of_the_yaml_are_options_of_az():
    made = yaml.safe_load(render.render(load("dev", RULES))["endpoints/dev/autoscale.yml"])
    # az monitor autoscale create and az monitor autoscale rule create, azure-cli
    assert set(made["create"]) <= {"min-count", "max-count", "count"}
    assert all(set(rule) <= {"condition", "scale", "cooldown", "resource"} for rule in made["rules"])
    assert "endpoints/dev/autoscale.yml" not in render.render(load("dev"))
