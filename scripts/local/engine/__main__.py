"""`python -m scripts.local.engine <job folder>`: runs a chat_completion_pipeline; 0 is Completed, 143 cancelled."""

from __future__ import annotations

import argparse
import traceback
from pathlib import Path

from scripts import errors
from scripts.azure import component_rules
from scripts.errors import FAILED, UserError, one_line
from scripts.local.engine import process, threads
from scripts.local.engine.job_folder import STEPS, Job


def main() -> int:
    """Runs the job and returns its exit code; why it failed is in error.json and the log, in a sentence."""
    parser = argparse.ArgumentParser(prog="python -m scripts.local.engine", description=__doc__)
    parser.add_argument("folder", type=Path, help="the job's folder, with job.json")
    folder = parser.parse_args().folder
    process.end_on_terminate()
    job = Job(folder)
    threads.tune(job.settings.threads)
    process.end_with_parent()
    follower = threads.Follower(job.settings.threads)
    try:
        run(job, follower)
    except UserError as error:
        job.fail(str(error), "UserError")
        return FAILED
    except SystemExit:
        job.log("cancelled")
        raise
    except Exception as error:  # our own fault, or the machine's: the traceback goes where developers look
        (job.logs / "debug.txt").write_text(traceback.format_exc(), encoding="utf-8")
        reason = f"{type(error).__name__}: {one_line(error)}"
        job.fail(f"The engine failed: {reason}; the details are in logs/debug.txt.", "SystemError")
        return FAILED
    job.log("completed")
    return 0


def run(job: Job, follower: threads.Follower) -> None:
    """Runs the five steps in the component's order."""
    from scripts.local.engine import model_import, preprocess, validation
    from scripts.local.engine.mlflow_metrics import Tracker

    process.quieten()
    job.log(f"job {job.name}")
    tracker = Tracker(job.mlflow, job.log)
    with job.step(STEPS[0]):
        values = validation.run(job)
        tracker.parameters({name: values[name] for name in job.inputs if name not in component_rules.PATHS})
    with job.step(STEPS[1]):
        process.load()
        base = model_import.run(job, values)
        tokenizer = base.tokenizer()
    with job.step(STEPS[2]):
        data = preprocess.run(job, values, base, tokenizer)
        tracker.tags(data.counts)
    with job.step(STEPS[3]):
        from scripts.local.engine import finetune

        model, summary = finetune.run(job, values, base, data, tracker, follower)
    with job.step(STEPS[4]):
        from scripts.local.engine import converter

        converter.run(job, values, base, data, tokenizer, model, summary)
    tracker.close()


if __name__ == "__main__":
    errors.main(main)
