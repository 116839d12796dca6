"""Metrics as table, comparison and page; the address that a tracking URI stands for; watching a run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.errors import MISSING, CouldNotAskError, UserError
from scripts.local.engine import finetune
from scripts.metrics import __main__ as command
from scripts.metrics import job_page, job_runs, table
from scripts.metrics.job_runs import Run
from scripts.pages import charts
from tests import browser as browsers


def run(steps: int = 40, status: str = "FINISHED", **params: str) -> Run:
    """A run as the training step logs one: the loss every step, the evaluation every tenth."""
    metrics: dict[str, list[tuple[int, float, int]]] = {
        "loss": [(step, 4 / (1 + step / 10), step * 1000) for step in range(1, steps + 1)],
        "eval_loss": [(step, 4.2 / (1 + step / 10), step * 1000) for step in range(0, steps + 1, 10)],
        "learning_rate": [(step, 1e-3 * (1 - step / (steps + 1)), step * 1000) for step in range(1, steps + 1)],
        "tokens_per_second": [(step, 380.0 + step, step * 1000) for step in range(1, steps + 1)],
        "train_runtime": [(steps, 61.5, steps * 1000)],
    }
    return Run("job-1", "job <b>1</b>", status, 1_700_000_000_000, 1_700_000_128_000, params, {}, metrics)


def test_the_table_shows_every_step_and_the_rest_below() -> None:
    head, *lines = table.progress([run(20)])
    assert head == ["step", "loss", "eval_loss", "learning_rate", "tokens_per_second"]
    assert len(lines) == 21 and lines[0] == ["0", "", "4.2", "", ""]
    assert lines[10] == ["10", "2", "2.1", "0.000524", "390"]
    assert table.summary([run(20)]) == [["job <b>1</b>", "train_runtime", "61.5"]]


def test_a_long_run_is_thinned_out_but_for_its_evaluations() -> None:
    text = table.show("job-1", [run(400)])
    shown = [line.split() for line in text.splitlines() if re.match(r"\s+\d+ ", line)]
    steps = [int(line[0]) for line in shown]
    assert {0, 10, 200, 400} <= set(steps) and len(steps) < 90
    assert f"{401 - len(steps)} of 401 steps left out" in text


def test_metrics_of_steps_are_found_in_children() -> None:
    parent = Run("job-1", "pipeline", "FINISHED", None, None)
    head, *lines = table.progress([parent, run(5)])
    assert "loss" in head and len(lines) == 6
    assert job_page.points([parent, run(5)], "eval_loss") == [(0.0, 4.2)]


def test_comparison_shows_last_values_and_only_parameters_that_differ() -> None:
    runs = {"a": [run(20, lr="1e-3", epochs="2")], "b": [run(40, lr="1e-4", epochs="2", extra="1")]}
    runs["a"][0].tags[job_runs.CAPPED] = "20 of 40 steps (training.max_tokens in the emulator's settings)"
    found = table.compare(runs, {"a": {"train": "x:1", "commit": "c"}, "b": {"train": "x:2", "commit": "c"}})
    assert found["parameters"] == [["extra", "", "1"], ["lr", "1e-3", "1e-4"]]
    assert found["facts"] == [["train", "x:1", "x:2"], ["steps", "20", "40"],
                              ["CAPPED", runs["a"][0].tags[job_runs.CAPPED], ""]]  # fmt: skip
    assert f"CAPPED: {runs['a'][0].tags[job_runs.CAPPED]}" in " ".join(table.show("a", runs["a"]).split())
    assert job_runs.CAPPED == finetune.CAPPED  # who writes and who reads it share no code
    assert found["metrics"][0] == ["loss", "1.33", "0.8"]
    assert [row[0] for row in found["metrics"]][-1] == "train_runtime"


def test_the_page_asks_nobody_and_is_no_markup_of_what_was_logged() -> None:
    text = job_page.job_page("job-1", [run(), replace(run(), name="other")], facts={"commit": "<b>2", "component": ""})
    assert "<svg" in text and text.count("<figure>") == 3
    assert "commit</td><td>&lt;b&gt;2</td>" in text and "component" not in text
    assert "job <b>1</b>" not in text and "job &lt;b&gt;1&lt;/b&gt;" in text
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", text) and "url(" not in text
    assert "took 2 min 08 s" in text


def test_the_headline_says_losses_steps_and_what_was_cut_short() -> None:
    capped = replace(run(40), tags={"azureml_local.capped": "40 of 230 steps"})
    text = job_page.job_page("job-1", [capped])
    assert ("training loss", "3.64 → 0.8") in job_page.tiles([capped]) and ("steps", "40") in job_page.tiles([capped])
    assert "CAPPED</b>: 40 of 230 steps." in text and "3.64 → 0.8" in text
    assert "CAPPED" not in job_page.job_page("job-1", [run(40)])
    nothing = Run("job-1", "job", "RUNNING", 1, None)
    assert job_page.tiles([nothing]) == [] and "Nothing logged yet" in job_page.job_page("job-1", [nothing])


def test_jobs_are_laid_over_each_other_and_keep_their_color() -> None:
    jobs = {"a <b>": [replace(run(20, lr="1"), metrics={"grad_norm": [(1, 1.0, 1)]})], "b": [run(40, lr="2")]}
    text = job_page.compare_page(jobs, table.compare(jobs, {}))
    loss = text[text.index("Training loss") : text.index("</figure>")]
    assert 'class="line c1"' in loss and 'class="line c0"' not in loss
    assert "a <b>" not in text and "<h2>Parameters that differ</h2>" in text
    assert job_page.compare_page({"b": [run(3)]}, table.compare({"b": [run(3)]}, {})).count("that differ") == 0


@pytest.mark.parametrize(("status", "look"), [("FAILED", "state fail"), ("KILLED", "state fail"), ("FINISHED", "soft")])
def test_a_job_that_did_not_end_well_is_seen_at_once(status: str, look: str) -> None:
    one = run(3, status=status)
    for text in (job_page.job_page("a", [one]), job_page.compare_page({"a": [one]}, table.compare({"a": [one]}, {}))):
        assert f'<p class="{look}">{status.capitalize()}, started' in text


def test_an_axis_has_whole_steps() -> None:
    drawn = charts.lines("Loss", [charts.Line("training", [(0.0, 4.0), (1.0, 3.0)])])
    below = charts.HEIGHT - charts.BOTTOM + 15
    assert re.findall(rf'y="{below}"[^>]*>([^<]*)<', drawn) == ["0", "1"]


def test_the_page_of_a_run_that_goes_on_loads_itself_again() -> None:
    assert 'http-equiv="refresh" content="3"' in job_page.job_page("job-1", [run(status="RUNNING")], refresh=3)
    assert "refresh" not in job_page.job_page("job-1", [run()], refresh=3)


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    (3.2, 4.9, [3.0, 3.5, 4.0, 4.5, 5.0]),
    (0.0, 1e-3, [0.0, 2e-4, 4e-4, 6e-4, 8e-4, 1e-3]),
    (7.0, 7.0, None),
    (-1.0, 1.0, [-1.0, -0.5, 0.0, 0.5, 1.0]),
])  # fmt: skip
def test_ticks_are_round_and_enclose(low: float, high: float, expected: list[float] | None) -> None:
    ticks = charts.nice_ticks(low, high)
    assert ticks[0] <= low and ticks[-1] >= high and len(ticks) > 1
    assert expected is None or ticks == pytest.approx(expected)


def test_a_tracking_uri_becomes_the_address_that_the_plugin_asks() -> None:
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
    for version in ("/mlflow/v1.0", "/mlflow/v2.0", ""):
        found = job_runs.address(f"azureml://eastus.api.azureml.ms{version}{path}?x=1")
        assert found == f"https://eastus.api.azureml.ms/mlflow/v2.0{path}"
    with pytest.raises(UserError, match="expected azureml://"):
        job_runs.address("https://example.org")


def test_watching_prints_each_step_once_and_ends_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "RUNS", tmp_path)
    looks: list[Run] = [run(2, "RUNNING"), run(3, "RUNNING"), run(3, "FINISHED")]
    said: list[str] = []
    pages: list[str] = []

    def read() -> list[Run]:
        return [looks.pop(0)]

    def wait(_: float) -> None:
        pages.append((tmp_path / "job-1" / "metrics.html").read_text())

    assert command.watch("job-1", read, said.append, wait, {})[0].status == "FINISHED"
    assert [line.split("  ")[0] for line in said] == ["step 0", "step 1", "step 2", "step 3"]
    assert len(pages) == 2 and all("refresh" in text for text in pages)
    assert "refresh" not in (tmp_path / "job-1" / "metrics.html").read_text()


def test_a_job_that_has_logged_nothing_is_watched_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "RUNS", tmp_path)
    said: list[str] = []
    looks = [Run("job-1", "job", status, 0, None) for status in ("RUNNING", "RUNNING", "FAILED")]
    command.watch("job-1", lambda: [looks.pop(0)], said.append, lambda _: None, {})
    assert said == ["job job-1 is RUNNING and has logged nothing yet; a line follows for every step"]


def test_compare_stands_first(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.run(["--env", "demo", "compare", "a"])
    assert "unrecognized arguments" in capsys.readouterr().err


POINT = """(() => {
  const svg = document.querySelector("figure svg"), box = svg.getBoundingClientRect();
  const x = box.left + box.width * (52 + 356 / 2) / 420;  // the middle of the axis
  svg.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: box.top + 9 }));
})()"""


@pytest.mark.slow
@pytest.mark.skipif(browsers.find() is None, reason="no Chromium")
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (360, False), (360, True)])
def test_the_page_in_a_browser(tmp_path: Path, width: int, dark: bool) -> None:
    file = tmp_path / "metrics.html"
    file.write_text(job_page.job_page("job-1", [run(learning_rate="1e-3")]))
    with browsers.browser(tmp_path / "profile") as seen:
        seen.open(file.as_uri(), width=width, height=900, dark=dark)
        assert readable(seen, ("h1", "figcaption", "summary", ".soft", ".key.c0", ".key.c1", "th"), width)
        seen.press("Tab")
        assert seen.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        told = {"End": "step 40: training 0.8, evaluation 0.84", "ArrowLeft": "step 39: training", "Home": "step 0: ev"}
        for key, said in told.items():
            seen.press(key)
            assert seen.value("document.querySelector('.read').textContent").startswith(said)
        seen.value(POINT)
        assert seen.value("document.querySelector('.read').textContent").startswith("step 20: ")
        assert seen.value("document.activeElement.tagName") in ("SUMMARY", "DIV", "svg")
        seen.screenshot(tmp_path / f"metrics-{width}-{'dark' if dark else 'light'}.png")
        assert not seen.errors
        assert [address for address in seen.requests if not address.startswith(("file:", "data:"))] == []


def readable(seen: Any, selectors: tuple[str, ...], width: int) -> bool:
    """Whether all texts have enough contrast and nothing but tables scrolls sideways."""
    ratios = {selector: seen.contrast(selector) for selector in selectors}
    assert min(ratios.values()) >= 4.5, ratios
    return seen.value("document.documentElement.scrollWidth") <= width


def test_a_loss_that_became_nan_is_drawn_up_to_there() -> None:
    points = [(0.0, 4.0), (1.0, 3.0), (2.0, float("nan")), (3.0, float("inf"))]
    drawn = charts.lines("Loss", [charts.Line("training", points)])
    assert drawn.count("<circle") == 2
    assert "nan" not in drawn
    assert "Nothing was logged" in charts.lines("Loss", [charts.Line("training", points[2:])])


class Tracking:
    """Stands for MLflow's store: `failing` is the question to which it has no answer."""

    def __init__(self, failing: str, code: int = 1) -> None:
        self.failing, self.code = failing, code

    def __getattr__(self, question: str) -> Any:
        from mlflow.entities import Metric
        from mlflow.exceptions import MlflowException

        info = SimpleNamespace(
            experiment_id="1", run_id="j", run_name="", status="RUNNING", start_time=1, end_time=None
        )
        run = SimpleNamespace(info=info, data=SimpleNamespace(metrics={"loss": 1}, tags={}, params={}))
        answers = {"get_run": run, "search_runs": [run], "get_metric_history": [Metric("loss", 1.0, 1, 1)]}

        def answer(*names: Any, **options: Any) -> Any:
            if question == self.failing:
                raise MlflowException("API request failed\nwith a page of reasons", self.code)
            return answers[question]

        return answer


@pytest.mark.parametrize("question", ["get_run", "search_runs", "get_metric_history"])
def test_a_server_that_goes_away_is_a_sentence_whatever_was_asked_last(question: str) -> None:
    with pytest.raises(
        CouldNotAskError, match=r"^could not ask for the runs of job j in MLflow: API request failed with"
    ):
        job_runs.family(Tracking(question), "j")
    assert [one.last for one in job_runs.family(Tracking(""), "j")] == [{"loss": 1.0}]


def test_a_job_without_a_run() -> None:
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

    with pytest.raises(UserError, match="az ml job list names the jobs there are") as caught:
        job_runs.family(Tracking("get_run", RESOURCE_DOES_NOT_EXIST), "j")
    assert caught.value.code == MISSING
