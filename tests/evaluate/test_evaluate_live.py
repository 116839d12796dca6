"""Against Azure ML on localhost, with a tiny model: register, deploy, evaluate, promote, chat and load."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import promote
from scripts.azure import client as client_module
from scripts.conversation import endpoint as endpoint_module
from scripts.errors import UserError
from scripts.evaluate import compare, evaluation, model_version, printed, report
from scripts.evaluate.evaluation import Evaluation
from scripts.loadtest import load
from scripts.metrics import __main__ as metrics
from scripts.metrics import job_runs
from scripts.values import read as values_read
from scripts.values.read import Values
from tests import browser as browsers
from tests.conftest import Emulated, enter

pytestmark = pytest.mark.slow
WORDS = "abcdef"
GOOD, SAME = "1", "2"  # versions, as the service counts them


class Live:
    """An emulator with a registered and deployed tiny model, the values that name it, and prepared data."""

    def __init__(self, values: Values, client: Any, root: Path) -> None:
        self.values, self.client, self.root = values, client, root
        self.model = model_version.name(values)
        self.folder = root / "runs"

    def evaluation(self, version: str, **options: Any) -> Evaluation:
        """Evaluates a version and writes what came out, as the command does."""
        found = compare.evaluate(self.values, version, self.folder / version, self.client, root=self.root, **options)
        evaluation.write(found, self.folder / version)
        return found

    def register(self, job: str, folder: Path) -> str:
        """Registers a model folder as that of a job, and returns the version that it got."""
        from azure.ai.ml.entities import Model

        made = Model(name=self.model, path=folder, type="mlflow_model", tags={"job": job})
        return str(self.client.models.create_or_update(made).version)


@pytest.fixture(scope="module")
def live(
    emulator: Emulated, tiny_tuned: Path, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    root = tmp_path_factory.mktemp("project")
    patch = enter(emulator)
    sets = [f"azure.{key}={value}" for key, value in emulator.workspace.items()]
    sets += [
        f"evaluation.base={tiny_base}",
        "evaluation.cases=6",
        "evaluation.max_new_tokens=6",
        "evaluation.resamples=200",
    ]
    values = values_read.load("demo", sets)
    live = Live(values, client_module.connect(values), root)
    prepare(root)
    assert live.register("learned", tiny_tuned) == GOOD
    assert live.register("same", tiny_base) == SAME
    deploy(live)
    yield live
    patch.undo()


def prepare(root: Path) -> None:
    """Writes held-out rows that the tuned model has learned."""
    folder = root / "data" / "demo"
    folder.mkdir(parents=True)
    rows = [
        {"messages": [{"role": "user", "content": f"say {word}"}, {"role": "assistant", "content": word * 2}]}
        for word in WORDS
    ]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "manifest.json").write_text(json.dumps({"version": "data-1"}))


def deploy(live: Live) -> None:
    """Deploys the version that learned, with places for two requests at a time."""
    from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint, OnlineRequestSettings

    name = endpoint_module.name_of(live.values)
    endpoint = live.client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name)).result()
    settings = OnlineRequestSettings(request_timeout_ms=60_000, max_concurrent_requests_per_instance=2)
    size = "Standard_NC4as_T4_v3"
    deployment = ManagedOnlineDeployment(
        name="demo", endpoint_name=name, model=f"azureml:{live.model}:{GOOD}", instance_type=size, instance_count=1,
        request_settings=settings,
    )  # fmt: skip
    live.client.online_deployments.begin_create_or_update(deployment).result()
    endpoint.traffic = {"demo": 100}
    live.client.online_endpoints.begin_create_or_update(endpoint).result()


def test_a_model_that_learned_is_promoted(live: Live) -> None:
    version = GOOD
    with pytest.raises(UserError, match="no evaluation of version 1 yet"):
        promote.promote(live.values, version, live.folder / version, live.client)
    prod = values_read.load(
        "prod", [f"azure.{key}={live.values.data['azure'][key]}" for key in live.values.data["azure"]]
    )
    demanding = Values("demo", {**live.values.data, "evaluation": prod.data["evaluation"]}, prod.places)
    with pytest.raises(UserError, match="1 is not promoted"):
        promote.check(demanding, version, live.client)

    found = live.evaluation(version)
    assert found.answered_by["tuned"].startswith("endpoint azureml-chat-")
    assert found.answered_by["base"] == "its weights on this machine"
    assert (found.asked, found.answered, found.data_version) == (6, 6, "data-1")
    change = found.measures["perplexity"].change_percent
    assert change is not None and change.high < -50
    assert evaluation.read(live.folder / version, version, "demo") == found
    require = {"perplexity_below_base_percent": 10, "question_gain_kept": True}
    asking = Values("demo", {**live.values.data, "evaluation": {**live.values.data["evaluation"], "require": require}})
    said = promote.promote(asking, version, live.folder / version, live.client)
    assert said[-1] == f"{live.model}:1 is promoted (promoted={found.hash})"
    tags = live.client.models.get(live.model, version).tags
    assert tags["promoted"] == found.hash and tags["evaluation_data"] == "data-1"
    assert float(tags["perplexity_tuned"]) < float(tags["perplexity_base"])
    assert promote.check(demanding, version, live.client).endswith(f"(promoted={found.hash})")


def test_a_model_that_learned_nothing_is_refused_with_the_numbers(live: Live) -> None:
    found = live.evaluation(SAME)
    assert "serves" in found.notes[0] and found.answered_by["tuned"] == "its weights on this machine"
    with pytest.raises(UserError) as caught:
        promote.promote(live.values, SAME, live.folder / SAME, live.client)
    assert caught.value.code == 1
    assert "\nperplexity_below_base_percent: perplexity" in str(caught.value) and "+0.0 %" in str(caught.value)
    assert "no_more_empty_answers" not in str(caught.value)  # that one is met
    assert "promoted" not in live.client.models.get(live.model, SAME).tags


def test_the_version_is_the_one_of_the_states_job(live: Live, tmp_path: Path) -> None:
    def meant(*words: str) -> model_version.ModelVersion:
        parser = values_read.parser_of("promote", "")
        model_version.add_arguments(parser)
        return model_version.from_arguments(parser.parse_args(["--env", "demo", *words]), live.values, live.client)

    (tmp_path / "model-version").write_text(f"{GOOD} learned\n")
    found = meant("--folder", str(tmp_path))
    assert (found.version, found.job) == (GOOD, "learned")
    assert re.fullmatch(r"learned-20\d{12}", found.folder.name)  # not that of the same job in another workspace
    assert meant("--model-version", SAME).job == "same"
    assert model_version.served(live.client, "not-here:1") == model_version.ModelVersion("not-here", "1", "")
    (tmp_path / "model-version").write_text(f"{SAME} learned\n")
    with pytest.raises(UserError, match=r":2 belongs to job same, and .* means the one of job learned; make register"):
        meant("--folder", str(tmp_path))


def test_metrics_are_those_of_a_versions_job(live: Live) -> None:
    named = argparse.Namespace(model_version=SAME, folder=None)
    assert metrics._job_of(live.values, live.client, named) == "same"
    named.model_version = "99"
    with pytest.raises(UserError, match=r"there is no model .*:99; make register"):
        metrics._job_of(live.values, live.client, named)


def test_an_evaluation_that_was_edited_proves_nothing(live: Live) -> None:
    folder = live.folder / "edited"
    folder.mkdir(parents=True)
    evaluation.write(dataclasses.replace(live.evaluation(SAME), version="edited"), folder)
    with pytest.raises(UserError, match="was changed after it was written"):
        promote.promote(live.values, "edited", folder, live.client)


def test_the_same_question_gets_the_same_evaluation(live: Live) -> None:
    first, second = (live.evaluation(GOOD, ask_endpoint=False) for _ in range(2))
    assert first.hash == second.hash


def test_a_brief_one_asks_the_endpoint_and_measures_no_losses(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    found = compare.evaluate(live.values, GOOD, live.folder / GOOD, live.client, root=live.root, brief=True)
    assert found.answered_by["tuned"].startswith("endpoint ") and len(found.examples) == 3
    assert found.measures["perplexity"].tuned is None and found.measures["rouge_l"].tuned is not None
    assert capsys.readouterr().err.splitlines() == [
        "base: 26 answers from its weights", f"tuned: 26 answers from {found.answered_by['tuned'].partition(',')[0]}"
    ]  # fmt: skip
    lines = printed.brief(found.as_dict()).splitlines()
    assert [line for line in lines if line.startswith("tuned  ")] and lines[-1].startswith("ROUGE-L ")


def test_the_endpoint_answers_whole_and_in_pieces(live: Live) -> None:
    endpoint = endpoint_module.require(live.values, live.client, endpoint_module.name_of(live.values))
    assert (endpoint.model, endpoint.places, endpoint.instances) == (f"{live.model}:{GOOD}", 2, 1)
    question = [{"role": "user", "content": "say c"}]
    greedy = {"do_sample": False, "max_new_tokens": 6}
    with endpoint_module.http_client(endpoint.timeout) as http:
        whole = endpoint.ask(question, greedy, http)
        assert "".join(endpoint.pieces(question, greedy, http)) == whole
        assert endpoint.streams
    key = live.client.online_endpoints.get_keys(endpoint.name).primary_key
    assert key not in repr(endpoint)


def test_a_load_is_counted(live: Live) -> None:
    endpoint = endpoint_module.require(live.values, live.client, endpoint_module.name_of(live.values))
    questions = [[{"role": "user", "content": f"say {word}"}] for word in WORDS]

    async def ramp() -> list[load.Level]:
        async with endpoint_module.async_http_client(30, 8) as http:
            return await load.run(endpoint, questions, {"max_new_tokens": 4}, (1, 2, 8), 1.0, len, http)

    one, two, eight = asyncio.run(ramp())
    assert one.statuses.keys() == two.statuses.keys() == {200}
    assert eight.statuses[429] > 0  # four are taken: two at work, two waiting
    assert one.requests_per_second > 0 and one.tokens > 0


def test_without_an_endpoint_a_sentence_says_what_to_do(live: Live) -> None:
    with pytest.raises(UserError, match="make deploy ENV=demo"):
        endpoint_module.require(live.values, live.client, "nothing-here")
    missing = job_runs.store(live.values, live.client)
    with pytest.raises(UserError, match="no-such-job has no run"):
        job_runs.family(missing, "no-such-job")


@pytest.mark.skipif(browsers.find() is None, reason="no Chromium")
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (360, True)])
def test_the_report_in_a_browser(live: Live, tmp_path: Path, width: int, dark: bool) -> None:
    found = live.evaluation(GOOD, ask_endpoint=False)
    file = tmp_path / "evaluation.html"
    file.write_text(report.html(found.as_dict()))
    with browsers.browser(tmp_path / "profile") as page:
        page.open(file.as_uri(), width=width, height=900, dark=dark)
        for selector in ("h1", "td", ".soft", ".said", "summary", "b.pass, b.fail"):
            assert page.contrast(selector) >= 4.5, selector
        assert page.value("document.documentElement.scrollWidth") <= width
        page.screenshot(tmp_path / f"evaluation-{width}.png")
        assert not page.errors and not [each for each in page.requests if not each.startswith(("file:", "data:"))]
    text = report.markdown(found.as_dict())
    assert text.count("###") == 6 and "| perplexity of the true answer |" in text
