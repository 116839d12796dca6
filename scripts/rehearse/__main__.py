"""`python -m scripts.rehearse --env ENV -- make`: the environment's YAML through the whole chain on localhost.

What is seen is written to rehearsal.md and rehearsal.json in .runs/<env>/rehearsal/, however it ends; the exit code is
that of the step that failed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from scripts import files, git, programs
from scripts.chain.alone import alone
from scripts.chain.rendered import Rendered
from scripts.chain.whole import switches
from scripts.errors import INTERRUPTED, USAGE, UserError, complain, main
from scripts.evaluate import printed
from scripts.evaluate.evaluation import Answers
from scripts.files import ROOT
from scripts.preflight import context
from scripts.preflight.finding import FAIL, WARN
from scripts.rehearse import record, report, walk
from scripts.rehearse.record import Rehearsal, Step, Warned
from scripts.rehearse.stage import SWITCH, Stage, plain
from scripts.shape import shaped
from scripts.targets import command
from scripts.values.read import Values, add_arguments, from_arguments

CHAIN = ("data", "compute", "finetune", "register", "deploy", "invoke", "answers", "undeploy")
WORDS = {"finetune": ("AGAIN=1",)}  # a job whose name no other has, in a workspace of the same name
MONEY = ("time-and-cost", "endpoint-cost")
LOSSES = ("loss", "eval_loss")
_STAND_IN = re.compile(r"NOTE: (\S+ stands in for \S+): the run is real")


class Play:
    """One rehearsal: the chain, then the faults, and what was learned of them in `told`."""

    def __init__(self, stage: Stage, values: Values) -> None:
        self._stage, self._values = stage, values
        name = values.environment
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
        self.told = Rehearsal(name, git.head(ROOT), git.changed(ROOT), Rendered(name).fingerprint(), now)

    def chain(self) -> int:
        """Runs the chain; returns the exit code of the step that failed, else 0."""
        self._stage.open()
        said = ""
        for target in CHAIN:
            ran = self._stage.run(target, words=WORDS.get(target, ()), shown=True)
            _say(f"{target:<28} {f'FAILED ({ran.code})' if ran.code else 'passed'}, {ran.seconds:.0f} s")
            said += ran.said
            self.told.steps.append(Step(target, ran.code, round(ran.seconds, 1), ran.reason))
            if target == "answers" and not ran.code:
                self._read_answers()
            if target == "finetune" and not ran.code:
                self._read_losses()
            if ran.code:
                break
        self._read_stand_ins(said)
        self._read_preflight()
        self.told.outcome = record.FAILED if self.told.failed else record.PASSED
        return self.told.failed.code if self.told.failed else 0

    def faults(self, names: list[str]) -> int:
        """Walks through faults, each on a chain that is good up to there; 1 where one was not recovered from."""
        outcome, self.told.outcome = self.told.outcome, record.INTERRUPTED
        self._stage.open(max_steps=walk.STEPS)
        for met in walk.Walk(self._stage, self._values, _say).through(names):
            self.told.faults.append(met)
        stuck = any(not met.recovered for met in self.told.faults)
        self.told.outcome = record.FAILED if stuck else outcome
        return int(stuck)

    def _read_losses(self) -> None:
        words = ("--env", self.told.environment, "--folder", str(self._stage.folder), "-o", "json")
        for run in self._stage.json("scripts.metrics", *words):
            for name in LOSSES:
                if points := run["metrics"].get(name):
                    self.told.losses[name] = [[float(step), float(value)] for step, value, _ in points]
            self.told.capped = self.told.capped or run["tags"].get("azureml_local.capped", "")

    def _read_answers(self) -> None:
        found = self._kept("answers.json")
        self.told.answers = [shaped(Answers, each) for each in found["examples"]]
        self.told.figures = printed.figures(found["measures"])

    def _read_stand_ins(self, said: str) -> None:
        models = sorted(set(_STAND_IN.findall(" ".join(said.split()))))
        self.told.stand_ins = [f"{each}: how well it learns says nothing of the real model" for each in models]
        _, prepared = context.read(self.told.environment)
        if prepared.fallback:
            self.told.stand_ins.append(f"data: rows of {prepared.fallback}, not your own ({prepared.because})")

    def _read_preflight(self) -> None:
        for check in self._kept("preflight.json").get("checks", []):
            if check["check"] in MONEY:
                self.told.on_azure.append(plain(check["sentence"]))
            if check["status"] in (WARN, FAIL):
                self.told.warnings.append(Warned(check["check"], plain(check["sentence"]), plain(check["todo"])))

    def _kept(self, name: str) -> dict[str, Any]:
        text = files.read_text(self._stage.folder / name, "run this again")
        return json.loads(text) if text else {}


def _say(line: str) -> None:
    print(line, flush=True)


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.rehearse", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--faults", default="", help="all, or some of `make local-fault` with commas between")
    parser.add_argument("--result", type=Path, metavar="FILE", help="write the report there too, its JSON beside it")
    parser.add_argument("make", nargs=argparse.REMAINDER, help="-- and how make is called")
    options = parser.parse_args(arguments)
    if options.result and options.result.suffix == ".json":
        raise UserError(f"RESULT={options.result}: is for Markdown, its JSON comes beside it; name an .md file", USAGE)
    names = walk.chosen(options.faults) if options.faults else []
    values = from_arguments(options)
    stage = Stage(values.environment, [*options.make[options.make[:1] == ["--"] :], SWITCH])
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # all of them end alike: tidied up, with a report
    os.environ["MAKEFLAGS"] = switches(os.environ.get("MAKEFLAGS", ""))
    with alone(stage.folder, command("rehearse", values.environment)):
        return _play(stage, values, names, options.result)


def _play(stage: Stage, values: Values, names: list[str], result: Path | None) -> int:
    begun, code = time.monotonic(), INTERRUPTED
    stage.close()
    shutil.rmtree(stage.folder, ignore_errors=True)
    programs.load((sys.executable, "-m", "scripts.az_ml"))
    play = Play(stage, values)
    if result:  # tried before hours of work, and true of what is killed
        files.write(result, f"## Rehearsal of {values.environment}: has not ended\n")
    _say(f"rehearsing {values.environment} on a local Azure ML of its own; what the steps print:")
    _say(f"  {(stage.folder / 'log.txt').relative_to(ROOT)}")
    try:
        code = play.chain() or (play.faults(names) if names else 0)
    except KeyboardInterrupt:
        play.told.outcome = record.INTERRUPTED
    except UserError as error:
        code, play.told.outcome = error.code, record.FAILED
        where = "faults" if len(play.told.steps) == len(CHAIN) else "report"
        play.told.steps.append(Step(where, error.code, 0.0, plain(str(error))))
    finally:
        stage.close()
    play.told.seconds = round(time.monotonic() - begun, 1)
    written = _write(play.told, stage.folder, result)
    return _conclude(play.told, code, written)


def _write(told: Rehearsal, folder: Path, result: Path | None) -> Path:
    """Writes the report; returns where a person finds it."""
    shown, data = report.markdown(told), told.as_json()
    for path in (folder / report.FILE, *([result] if result else [])):
        files.write(path, shown)
        files.write(path.with_suffix(".json"), data)
    return result or (folder / report.FILE).relative_to(ROOT)


def _conclude(told: Rehearsal, code: int, written: Path) -> int:
    """Prints the last lines, and returns the exit code."""
    again = command("rehearse", told.environment)
    _say(f"report  {written}")
    if code == INTERRUPTED:
        complain(f"the rehearsal was interrupted; its local Azure ML is deleted, with its faults; {again} begins again")
    elif told.failed:
        complain(f"the rehearsal failed at {told.failed.target}: {told.failed.reason}; put that right, and {again}")
    elif code:
        complain(f"from some faults the chain did not go on; {written} names them")
    else:
        _say(f"passed in {told.seconds:.0f} s")
    return code


if __name__ == "__main__":
    main(run)
