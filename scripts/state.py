"""`python -m scripts.state`: what exists only at run time, in .runs/<env>/<backend>/, one plain file a value.

    data-version    the version of the three data assets (the content's hash)
    job             the job's name        status    how it ended
    model-version   the version that its model got when it was registered, and that job's name
    rollout         what stands while a rollout goes on, for the last line of one that is stopped
    model-files     the fingerprint of what a job trained, before it is registered, and that job's name

The job's name is made before the job, from what it would run: the same YAML and data give the same name. So a `make
finetune` that was stopped at any moment goes on with its job when it is called again, and never pays for a second one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
from pathlib import Path

from scripts.errors import FAILED, MISSING, UserError, main
from scripts.files import ROOT, private_folder, read_text, refuse, write_private
from scripts.targets import command

JOB_TAG = "job"  # of a registered model: the job that it belongs to
ENDED_BADLY = frozenset({"failed", "canceled", "notresponding"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_LOOKS = {"data-version": _NAME, "job": _NAME, "status": re.compile(r"[A-Za-z][A-Za-z_. ]{0,99}"),
          "model-version": re.compile(r".+"), "rollout": re.compile(r".+"),
          "model-files": re.compile(r"sha256:[0-9a-f]{64} \S+")}  # fmt: skip
_ANEW = "delete it, and what made it makes it again"


def read(folder: Path, name: str, hint: str) -> str:
    """Returns a value of the state; a `UserError` with `hint` (which target makes it) when it is not there."""
    value = kept(folder, name)
    if not value:
        raise UserError(f"{folder / name}: not there yet; {hint}", MISSING)
    return value


def kept(folder: Path, name: str) -> str:
    """Returns a value of the state, an empty text where there is none."""
    path = folder / name
    text = read_text(path, _ANEW)
    if text is None:
        return ""
    value = text.strip()
    if not text.endswith("\n"):  # a job's name cut off could be another job's
        refuse(path, "is cut off" if value else "is empty", _ANEW)
    if not value.isprintable() or not _LOOKS[name].fullmatch(value):
        refuse(path, f"holds {value!r:.60}, which is no {name.replace('-', ' ')}", _ANEW)
    return value


def kept_for(folder: Path, name: str, job: str) -> str:
    """Returns a value that is kept with its job's name, an empty text where it is another job's or there is none."""
    value, _, of = kept(folder, name).rpartition(" ")
    return value if of == job else ""


def write(folder: Path, name: str, value: str) -> None:
    """Writes a value so that a reader sees the old one or the new one, never half; the folder is the user's alone."""
    private_folder(folder)
    write_private(folder / name, f"{value}\n")


def is_job_name(text: str) -> bool:
    """Tells whether a job can have this name."""
    return bool(_NAME.fullmatch(text))


def plain_status(status: str) -> str:
    """Returns a job's status in lower-case letters: releases of the CLI print `Completed` or `JobStatus.COMPLETED`."""
    return status.strip().rpartition(".")[2].replace("_", "").lower()


def job_name(folder: Path, environment: str, again: bool = False, root: Path = ROOT) -> str:
    """Returns the name for the job of today's YAML and data, and keeps it.

    It is `<env>-<hash>-<attempt>`. The attempt counts up when the last one ended badly; `again` takes the clock, so
    that it is new in the workspace too, where others may have run the same YAML and data.
    """
    version = read(folder, "data-version", f"{command('data', environment)} prepares the data")
    name = next_job(folder, environment, version, root)
    if again:
        name = f"{name.rpartition('-')[0]}-{int(time.time())}"
    if name != kept(folder, "job"):
        (folder / "status").unlink(missing_ok=True)
        write(folder, "job", name)
    return name


def next_job(folder: Path, environment: str, version: str, root: Path = ROOT) -> str:
    """Returns the name that the job of today's YAML and of data of a version would have, and keeps nothing."""
    path = root / "pipelines" / environment / "finetune.yml"
    if not path.exists():
        todo = command("render", environment)
        raise UserError(f"pipelines/{environment}/finetune.yml: no such file; run {todo}", MISSING)
    beside = (path.with_name("finetune_config.json"), *sorted(path.with_name("prepare").rglob("*")))  # sent with it
    content = b"".join(file.read_bytes() for file in (path, *beside) if file.is_file())
    digest = hashlib.sha256(content + version.encode()).hexdigest()[:10]
    stem, attempt = f"{environment}-{digest}-", 1
    name = kept(folder, "job")
    if name.startswith(stem) and name.removeprefix(stem).isdecimal():
        attempt = int(name.removeprefix(stem))
        attempt += plain_status(kept(folder, "status")) in ENDED_BADLY
    return f"{stem}{attempt}"


def require_completed(folder: Path, environment: str) -> str:
    """Returns the job; a `UserError` unless it is Completed: `az ml job stream` exits 0 on a cancelled job too."""
    job = read(folder, "job", f"{command('finetune', environment)} submits a job")
    status = read(folder, "status", f"{command('await', environment)} waits for the job")
    if plain_status(status) != "completed":
        raise UserError(
            f"job {job} is {status}, not Completed; its log says why (above, or az ml job stream -n {job}); "
            + (
                f"{command('finetune', environment)} tries again"
                if plain_status(status) in ENDED_BADLY
                else f"{command('await', environment)} goes on waiting for it"
            ),
            FAILED,
        )
    return job


def model_version(folder: Path, environment: str) -> tuple[str, str]:
    """Returns the registered model's version, and the job that it belongs to.

    The service counts versions. The first releases of this project named them by the job, which Azure refuses.
    """
    advice = f"{command('register', environment)} registers the model"
    version, *job = read(folder, "model-version", advice).split()
    if not version.isdecimal() or len(job) != 1:
        raise UserError(
            f"{folder / 'model-version'}: holds '{' '.join([version, *job])}', expected a number and its job: a first "
            f"release wrote it, and Azure takes whole numbers only; {advice} of that job anew, nothing is trained again"
        )
    return version, job[0]


def data_version(environment: str, root: Path = ROOT) -> str:
    """Returns the version of the prepared data, from its manifest."""
    found = prepared(environment, root)
    if found is None:
        todo = f"{command('data', environment)} makes it"
        raise UserError(f"data/{environment}/manifest.json: not there yet; {todo}", MISSING)
    return found[0]


def prepared(environment: str, root: Path = ROOT) -> tuple[str, bool] | None:
    """Returns the version of the prepared data and whether they only stand in for the values' own; None without any."""
    path = root / "data" / environment / "manifest.json"
    todo = f"{command('data', environment)} makes it anew"
    text = read_text(path, todo, f"data/{environment}/manifest.json")
    if text is None:
        return None
    try:
        manifest = json.loads(text)
        version, stands_in = manifest["version"], bool(manifest.get("fallback"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        version, stands_in = None, False
    if not isinstance(version, str) or not re.fullmatch(r"[\w.-]{1,64}", version, re.ASCII):
        raise UserError(f"data/{environment}/manifest.json: holds no version; {todo}")
    return version, stands_in


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.state", description="State of a run, kept in a folder.")
    parser.add_argument("what", choices=("job", "completed", "data-version", "model-version"))
    parser.add_argument("--env", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="for example .runs/dev/azure")
    parser.add_argument("--again", action="store_true", help="job: a new attempt even if the last one went well")
    options = parser.parse_args(arguments)
    if options.what == "job":
        print(job_name(options.folder, options.env, options.again))
    elif options.what == "completed":
        print(f"job {require_completed(options.folder, options.env)}: Completed")
    elif options.what == "data-version":
        print(data_version(options.env))
    else:
        print(model_version(options.folder, options.env)[0])
    return 0


if __name__ == "__main__":
    main(run)
