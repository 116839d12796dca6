"""Every file that the project writes and reads again, in any state of damage: a sentence that names it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import state
from scripts.az_ml import defaults
from scripts.azure import lock_file, login
from scripts.chain.run import Run
from scripts.chat import turns
from scripts.conversation import answer, held_out, model_folder, template
from scripts.errors import UserError
from scripts.evaluate import evaluation
from scripts.files import ROOT, read_text
from scripts.local import launcher
from scripts.local.core import faults, settings
from scripts.local.core.home import Credentials, Home, Record, credentials
from scripts.local.core.store import Store
from scripts.local.engine.job_folder import Job
from scripts.local.jobs import job_run, runner
from scripts.plan import approved
from scripts.rehearse import record
from scripts.values import data_facts, house_limits
from scripts.values import read as values
from tests.azure.test_azure_lock_file import LOCK
from tests.damage import PLACES, mutated
from tests.evaluate.test_evaluate_evaluation import made
from tests.rehearse.told import told
from tests.values.test_values_data_facts import FACTS

MEANT = dataclasses.asdict(Credentials("t", "c", "s" * 32, "o", "f" * 32))
JOB = {"name": "j", "inputs": {"train_file_path": "x"}, "outputs": {"o": "/x"}, "settings": {"max_steps": 2},
       "base_model": {"reference": "r", "path": None, "stand_in": False}, "mlflow": {"run_id": "j"}}  # fmt: skip
ROW = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "tools": None}
PLAN = {"environment": "dev", "workspace": "s/g/w", "yaml": "f", "resources": [
    {"kind": "cluster", "name": "c", "action": "create", "wanted": {"size": "x"}, "seen": None}]}  # fmt: skip
ACCOUNT = {
    "tenantId": "t",
    "clientId": "c",
    "authority": "a",
    "homeAccountId": "h.i",
    "username": "u",
    "version": "1.0",
}


@dataclasses.dataclass(frozen=True)
class Kept:
    """A file: where it is in a folder, what it holds, and who reads it.

    `heals`: whatever is wrong with it is put right, or passed by, without a word, since nothing in it is needed.
    `called`: what sentences may call it.
    """

    path: str
    content: Any
    read: Callable[[Path], Any]
    structure: str = ""
    heals: bool = False
    called: str = ""

    def write(self, folder: Path) -> Path:
        """Writes the file as it should be and returns its path."""
        path = folder / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.content) if self.structure == "json" else self.content
        text = yaml.safe_dump(text) if self.structure == "yaml" and not isinstance(text, str) else text
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


def of_home(read: Callable[[Home], Any]) -> Callable[[Path], Any]:
    """Returns a reader that comes to the home as every command does."""

    def within(folder: Path) -> Any:
        home = Home(folder)
        home.check()
        return read(home)

    return within


def all_documents(home: Home) -> Any:
    """Returns what the emulator stored."""
    store = Store(home.database)
    try:
        return store.list("jobs")
    finally:
        store.close()


def database(folder: Path) -> bytes:
    """Returns a database with some documents."""
    store = Store(folder / "new.sqlite")
    for number in range(50):
        store.put("scope", "jobs", f"job-{number}", {"properties": {"status": "Completed", "text": "x" * number}})
    store.connection.execute("pragma wal_checkpoint(truncate)")
    store.close()
    return (folder / "new.sqlite").read_bytes()


def rendered(folder: Path) -> Any:
    return Run(None, values.Values("dev", {}), folder, folder).document("pipelines", "compute.yml")  # type: ignore[arg-type]


def account(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZURE_CONFIG_DIR", str(folder))
        patch.setattr("azure.identity.InteractiveBrowserCredential.authenticate", lambda *_, **__: pytest.fail("asks"))
        return login._browser(("scope",))


def profile(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZURE_CONFIG_DIR", str(folder))
        return defaults.profile_subscription()


def one(name: str) -> Callable[[Path], Any]:
    return lambda folder: state.kept(folder, name)


LIMITS = "limits: {max_job_cost: 7}\n"
SHARED = f"https://example.com/limits.yaml#sha256={hashlib.sha256(LIMITS.encode()).hexdigest()}"
HEAD = house_limits._HEAD.format(address=SHARED)

FILES = {
    "the job's name": Kept("job", "dev-0123456789-1\n", one("job")),
    "the job's status": Kept("status", "Completed\n", one("status")),
    "the data's version": Kept("data-version", "0123456789ab\n", one("data-version")),
    "the model's version": Kept("model-version", "3 dev-0123456789-1\n", lambda it: state.model_version(it, "dev")),
    "the lock": Kept("environments/dev.lock.yaml", LOCK, lambda it: lock_file.read("dev", it), "yaml"),
    "data facts": Kept("environments/dev.data.yaml", data_facts.to_text(FACTS, "dev"),
                       lambda it: data_facts.read("dev", it), "yaml"),
    "shared limits": Kept("environments/dev.limits.lock.yaml", HEAD + LIMITS,
                          lambda it: house_limits.read(values.Values("dev", {"limits_from": SHARED}), it), "yaml"),
    "values": Kept("environments/dev.yaml", "azure:\n  workspace: team\n", lambda it: values.load("dev", root=it),
                   "yaml"),
    "rendered YAML": Kept("pipelines/dev/compute.yml", "name: gpu\nsize: x\n", rendered, "yaml"),
    "credentials": Kept("credentials.json", MEANT, of_home(credentials), "json"),
    "settings": Kept("settings.yaml", settings.TEMPLATE.read_text(), of_home(lambda it: settings.load(it.settings)),
                     "yaml"),
    "faults": Kept("faults.yaml", "probe-failed: {times: 1}\n", of_home(lambda it: faults.read(it.faults)), "yaml"),
    "the running emulator": Kept("emulator.json", dataclasses.asdict(Record(1, 2, 3, "k")), of_home(Home.read_record),
                                 "json", heals=True),
    "the emulator's lock": Kept("serve.lock", "123\n", of_home(launcher.holder), heals=True),
    "job.json": Kept("job.json", JOB, Job, "json"),
    "error.json": Kept("error.json", {"code": "UserError", "message": "m"}, lambda it: job_run._failure(it, "s", 1),
                       "json", heals=True),
    "an account": Kept("az-ml-account.json", ACCOUNT, account, "json"),
    "config.json": Kept("config.json", {"workspace_name": "w"}, defaults.config_file, "json", heals=True),
    "az's profile": Kept("azureProfile.json", {"subscriptions": [{"id": "s", "isDefault": True}]}, profile, "json"),
    "an evaluation": Kept("evaluation.json", made().as_dict(), lambda it: evaluation.read(it, "1", "demo"), "json"),
    "an approved plan": Kept("plan.json", PLAN, lambda it: approved.read(it / "plan.json"), "json"),
    "a rehearsal": Kept("rehearsal.json", json.loads(told().as_json()), lambda it: record.read(it, "demo"), "json"),
    "a conversation": Kept("chat.jsonl", json.dumps(ROW) + "\n",
                           lambda it: turns.save(ROW["messages"], it / "chat.jsonl")),  # type: ignore[arg-type]
    "a response": Kept("response.json", {"output": "text"},
                       lambda it: answer.told(read_text(it / "response.json", "ask anew") or ""), "json",
                       called="the endpoint's response"),
    "held-out rows": Kept("data/dev/test.jsonl", ROW, lambda it: held_out.cases("dev", it), "json", called="data/dev/"),
    "MLmodel": Kept("MLmodel", {"flavors": {"transformers": {}}, "metadata": {"base_model": "x"}},
                    lambda it: (model_folder.flavors(it), model_folder.metadata(it)), "yaml"),
    "a model's config": Kept("config.json", {"dtype": "bfloat16"}, model_folder.dtype, "json"),
    "a chat template": Kept("tokenizer_config.json", {"chat_template": "{{ messages }}"}, template.read, "json"),
}  # fmt: skip
# Where an empty file is one without a key, or a row.
WHOLE = {"values", "settings", "faults", "MLmodel", "a conversation", "rendered YAML"}


@pytest.fixture(autouse=True)
def never_waits(tmp_path: Path) -> Iterator[None]:
    """Ends a reader that waits for a pipe."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    yield
    signal.alarm(0)


def project(folder: Path) -> Path:
    """Returns a folder with what readers of values look for."""
    shutil.copy(ROOT / "values.yaml", folder)
    shutil.copy(ROOT / "values.schema.json", folder)
    return folder


def outcome(kept: Kept, folder: Path) -> tuple[str, str]:
    """Returns `read`, `refused` or `traceback` for a look at a file, and what was said."""
    name = kept.path.rpartition("/")[2]
    signal.alarm(20)
    try:
        kept.read(folder)
    except UserError as error:
        said = str(error)
        plain = said.isprintable() or "\n" in said
        told = name in said or (kept.called and kept.called in said)
        todo = any(
            word in said for word in ("; ", "expected", "allowed", "must be", "is not JSON", "no answer", "is an error")
        )
        return ("refused" if told and todo and plain else "traceback"), said
    except OSError as error:  # `errors.main` makes a sentence of it
        return ("refused" if error.filename else "traceback"), repr(error)
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    return "read", ""


@pytest.mark.parametrize("what", FILES)
def test_a_file_as_it_should_be_is_read(what: str, tmp_path: Path) -> None:
    FILES[what].write(project(tmp_path))
    assert outcome(FILES[what], tmp_path) == ("read", "")


@pytest.mark.parametrize("what", FILES)
def test_what_lies_in_the_place_of_a_file_is_named(what: str, tmp_path: Path) -> None:
    for number, (place, damage) in enumerate(PLACES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        damage(FILES[what].write(project(folder)))
        met, said = outcome(FILES[what], folder)
        fine = ("read", "refused") if FILES[what].heals or (what in WHOLE and place == "empty") else ("refused",)
        assert met in fine, f"{place}: {met} {said}"


def test_a_database_in_any_place_or_of_another_release_is_named(tmp_path: Path) -> None:
    kept = Kept("state.sqlite", database(tmp_path), of_home(all_documents))
    for number, damage in enumerate(PLACES.values()):
        folder = tmp_path / str(number)
        damage(kept.write(folder))
        harmless = damage in (PLACES["empty"], PLACES["huge"])  # a new one, and one with nothing behind its pages
        assert outcome(kept, folder)[0] == ("read" if harmless else "refused")
    for statement, said in (
        ("pragma user_version=9", "a newer version of this project wrote it (release 9, here is 1)"),
        ("alter table documents rename column body to content", "no such column: body"),
        ("update documents set body = '{' where name = 'job-7'", "is damaged (jobs 'job-7' is no document)"),
        ("update documents set body = '[]' where name = 'job-7'", "is damaged (jobs 'job-7' is no document)"),
        ("update documents set modified = 'now' where name = 'job-7'", "is damaged (jobs 'job-7' is no document)"),
    ):
        folder = tmp_path / said
        path = kept.write(folder)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(statement)
        met, words = outcome(kept, folder)
        assert met == "refused" and said in words, words


def contextlib_closing(path: Path) -> Any:
    import contextlib
    import sqlite3

    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


@pytest.mark.torture
def test_mutated_state_files(campaign: Any, tmp_path: Path) -> None:
    kept = {**FILES, "the database": Kept("state.sqlite", database(tmp_path), of_home(all_documents))}
    each = campaign.size(250, 5000 + len(kept)) // len(kept)
    met: dict[str, int] = {}
    for what, file in kept.items():
        for number in range(each):
            folder = tmp_path / "one"
            folder.mkdir()
            path = file.write(project(folder))
            path.write_bytes(damaged := mutated(path.read_bytes(), campaign.chance, file.structure))
            how, said = outcome(file, folder)
            campaign.tried += 1
            met[how] = met.get(how, 0) + 1
            if how == "traceback":
                campaign.wrong("traceback", f"{what} {number}: {said:.300} from {damaged[:200]!r}")
            shutil.rmtree(folder)
    campaign.unit = f"{met.get('refused', 0)} refused, {met.get('read', 0)} read"


def test_what_the_engine_says_of_its_steps_is_read_or_not_there(tmp_path: Path) -> None:
    """A command may write what it likes into its job's folder."""
    kept = Kept("steps.json", {"steps": [{"name": "a", "status": "Running", "started": None}]},
                lambda it: runner.read_json(it / "steps.json", "; ", runner.Inner, foreign=True), "json")  # fmt: skip
    kept.write(tmp_path)
    assert outcome(kept, tmp_path) == ("read", "")
    for content in ("[]", '{"steps": 1}', '{"steps": [1]}', '{"steps": [{"name": 1, "status": "x"}]}', "{}"):
        (tmp_path / "steps.json").write_text(content)
        assert outcome(kept, tmp_path)[0] == "refused"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    for what, kept in FILES.items():
        path = kept.write(project(tmp_path))
        path.chmod(0)
        assert outcome(kept, tmp_path)[0] == "refused" or kept.heals, what
        path.chmod(0o600)
