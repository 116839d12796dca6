"""State: a job's name is made before the job, so that no interruption leads to a second one."""

from pathlib import Path

import pytest

from scripts.errors import UserError
from scripts.state import data_version, job_name, model_version, read, require_completed, run, write


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pipelines" / "dev").mkdir(parents=True)
    (tmp_path / "pipelines" / "dev" / "finetune.yml").write_text("type: pipeline\n")
    write(tmp_path / "state", "data-version", "abc")
    return tmp_path


def name(project: Path, again: bool = False) -> str:
    return job_name(project / "state", "dev", again, project)


def test_the_same_yaml_and_data_are_the_same_job(project):
    first = name(project)
    assert first.startswith("dev-")
    assert first.endswith("-1")
    assert name(project) == first
    write(project / "state", "status", "Completed")
    assert name(project) == first


@pytest.mark.parametrize(
    "status", ["Failed", "Canceled", "NotResponding", "JobStatus.NOT_RESPONDING", "JobStatus.FAILED"]
)
def test_a_job_that_ended_badly_gets_a_successor(project, status):
    first = name(project)
    write(project / "state", "status", status)
    second = name(project)
    assert (first[-2:], second[-2:]) == ("-1", "-2")
    assert name(project) == second  # the status belonged to the first


def test_other_yaml_or_data_or_a_wish_is_another_job(project):
    first = name(project)
    anew = name(project, again=True)
    assert anew.startswith(first[:-1]) and anew != first
    assert name(project) == anew  # a wish is for once: without it the new job goes on
    (project / "pipelines" / "dev" / "finetune.yml").write_text("type: pipeline\nname: x\n")
    second = name(project)
    write(project / "state", "data-version", "def")
    assert len({first, second, name(project)}) == 3


@pytest.mark.parametrize("beside", ["finetune_config.json", "prepare/settings.json"])
def test_what_is_sent_beside_the_yaml_makes_another_job(project, beside):
    """LoRA's algorithm stands in finetune_config.json alone: with another one the old job is not the one wanted."""
    first = name(project)
    path = project / "pipelines" / "dev" / beside
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"lora_algo": "peft"}')
    second = name(project)
    path.write_text('{"lora_algo": "custom"}')
    assert len({first, second, name(project)}) == 3


def test_only_completed_is_good_enough(project):
    folder = project / "state"
    with pytest.raises(UserError, match="make finetune ENV=dev submits a job"):
        require_completed(folder, "dev")
    job = name(project)
    write(folder, "status", "Canceled")
    with pytest.raises(UserError, match="is Canceled, not Completed"):
        require_completed(folder, "dev")
    for completed in ("Completed", "JobStatus.COMPLETED"):  # as the newest and an older extension print it
        write(folder, "status", completed)
        assert require_completed(folder, "dev") == job


def test_what_is_not_there_or_not_whole_is_named(project):
    with pytest.raises(UserError, match="make data ENV=dev makes it"):
        data_version("dev", project)
    manifest = project / "data" / "dev" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    for text in ("", "{", "[]", "{}", "[" * 99_999, '{"version": {"a": 1}}', '{"version": "a b"}', '{"version": ""}'):
        manifest.write_text(text)
        with pytest.raises(UserError, match="holds no version; make data ENV=dev"):
            data_version("dev", project)
    (project / "pipelines" / "dev" / "finetune.yml").unlink()
    with pytest.raises(UserError, match="make render ENV=dev"):
        name(project)


def test_a_name_written_by_hand_is_replaced(project):
    first = name(project)
    write(project / "state", "job", f"{first}x")
    assert name(project) == first


def test_a_missing_value_says_what_makes_it(tmp_path):
    with pytest.raises(UserError, match="not there yet; do that"):
        read(tmp_path, "job", "do that")


def test_what_to_do_next_stays_on_the_backend(tmp_path, monkeypatch):
    for call, command in (("ENV=prod BACKEND=local", "make finetune ENV=prod BACKEND=local submits"),
                          ("ENV=prod", "make finetune ENV=prod submits")):  # fmt: skip
        monkeypatch.setenv("AZUREML_CHAIN_CALL", call)
        with pytest.raises(UserError, match=command):
            require_completed(tmp_path / "local", "prod")
    monkeypatch.setenv("AZUREML_CHAIN_CALL", "ENV=prod BACKEND=local")
    write(tmp_path / "local", "job", "prod-1")
    for status, command in (("Failed", "make finetune ENV=prod BACKEND=local"),
                            ("Queued", "make await ENV=prod BACKEND=local")):  # fmt: skip
        write(tmp_path / "local", "status", status)
        with pytest.raises(UserError, match=command):
            require_completed(tmp_path / "local", "prod")


def test_a_version_of_the_first_release_is_met_with_a_sentence(tmp_path):
    with pytest.raises(UserError, match="make register ENV=dev registers the model"):
        model_version(tmp_path, "dev")
    for held in ("dev-0123456789-1", "3", "3 a b"):
        write(tmp_path, "model-version", held)
        with pytest.raises(UserError, match=rf"holds '{held}', expected a number and its job"):
            model_version(tmp_path, "dev")
    write(tmp_path, "model-version", "3 dev-0123456789-1")
    assert model_version(tmp_path, "dev") == ("3", "dev-0123456789-1")


def test_the_command_prints_what_it_is_asked_for(tmp_path, capsys):
    def said(what: str, environment: str = "dev") -> str:
        assert run([what, "--env", environment, "--folder", str(tmp_path)]) == 0
        return capsys.readouterr().out

    write(tmp_path, "data-version", "abc")
    job = said("job").strip()
    assert job == (tmp_path / "job").read_text().strip()
    assert said("job") == f"{job}\n"
    write(tmp_path, "status", "Completed")
    assert said("completed") == f"job {job}: Completed\n"
    write(tmp_path, "model-version", f"3 {job}")
    assert said("model-version") == "3\n"
    with pytest.raises(UserError, match=r"data/nowhere/manifest\.json: not there yet"):
        said("data-version", "nowhere")
    assert run(["job", "--env", "dev", "--folder", str(tmp_path), "--again"]) == 0
    assert capsys.readouterr().out.strip() != job


@pytest.mark.parametrize("words", [["job", "--env", "dev"], ["job", "--folder", "x"], ["jobs"]])
def test_the_command_wants_a_word_an_environment_and_a_folder(words):
    with pytest.raises(SystemExit) as caught:
        run(words)
    assert caught.value.code == 2


@pytest.mark.parametrize(("left", "said"), [
    (b"", "is empty"), (b"\xff\xfe", "not UTF-8 text"), (bytes(20), "holds zeros"), (b"demo-1\x00\n", "holds zeros"),
    (b"dev-0123456789-1", "is cut off"), (b"two words\n", "holds 'two words', which is no job"),
])  # fmt: skip
def test_a_file_that_holds_no_value_is_met_with_a_sentence(tmp_path, left, said):
    """Attempt 12 cut to attempt 1 would be another job, so that a value ends with its line."""
    (tmp_path / "job").write_bytes(left)
    with pytest.raises(UserError, match=f"job: {said}.*; delete it, and what made it makes it again"):
        read(tmp_path, "job", "")
