"""Symbolic links in storage are not followed: a job that leaves one cannot have the home's secrets read through it."""

from __future__ import annotations

import pytest
import requests

from tests.local.test_local_command_steps import submitted
from tests.local.wire import Wire

SECRET = "client_secret"


@pytest.fixture
def place(local):
    """Where links to the home's secrets lie in the default container, its blob name, and how a blob is asked for."""
    store = local.ml.datastores.get_default(include_secrets=True)
    name = local.name("links")
    folder = local.emulated.home / "blobs" / store.account_name / store.container_name / name
    folder.mkdir(parents=True)
    (folder / "file").write_text("a file")
    (folder / "link").symlink_to(local.emulated.home / "credentials.json")
    (folder / "folder").symlink_to(local.emulated.home)
    base = f"https://{store.account_name}.blob.core.windows.net/{store.container_name}"

    def ask(method, blob, query="", **more):
        url = f"{base}/{blob}?{query}&{store.credentials.sas_token.lstrip('?')}"
        return requests.request(method, url, headers={"x-ms-blob-type": "BlockBlob"}, timeout=10, **more)

    return folder, name, ask


def test_no_blob_is_read_or_written_over_a_link(local, place):
    _, name, ask = place
    assert ask("GET", f"{name}/file").text == "a file"
    before = (local.emulated.home / "credentials.json").read_bytes()
    for blob in (f"{name}/link", f"{name}/folder/credentials.json", f"{name}/folder/new"):
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            answer = ask(method, blob, data=b"x" if method == "PUT" else None)
            assert answer.status_code == 400, (method, blob, answer.text)
            assert SECRET not in answer.text
        assert ask("PUT", blob, "comp=block&blockid=YQ==", data=b"x").status_code == 400
        assert ask("PUT", blob, "comp=blocklist", data=b"<BlockList/>").status_code == 400
    assert (local.emulated.home / "credentials.json").read_bytes() == before
    assert not (local.emulated.home / "new").exists()


@pytest.mark.parametrize("prefix", ["", "/folder", "/folder/", "/link"])
def test_a_list_shows_no_link(place, prefix):
    _, name, ask = place
    listed = ask("GET", "", f"restype=container&comp=list&prefix={name}{prefix}").text
    assert f"<Prefix>{name}{prefix}</Prefix>" in listed
    assert ("file</Name>" in listed) == (prefix == "")
    assert "link</Name>" not in listed
    assert "credentials" not in listed


def test_a_job_gets_nothing_over_a_link_and_leaves_none(local, place):
    _, name, _ = place
    wire, root = Wire(local), "azureml://datastores/workspaceblobstore/paths"
    assert wire.put(f"codes/{name}/versions/1", codeUri=f"{root}/{name}").status_code == 201
    code = f"{wire.workspace}/codes/{name}/versions/1"
    home = local.emulated.home
    text = f"test ! -e link && mkdir outputs/in && ln -s {home}/credentials.json outputs/in/link"
    job = submitted(local, f"{text} && ln -s {home} outputs/all && echo kept > outputs/kept", code=code)
    assert local.ended(job.name) == "Completed"
    artifacts = (
        f"https://eastus.api.azureml.ms/history/v1.0{wire.workspace}/experiments/tests/runs/{job.name}/artifacts"
    )
    paths = [each["path"] for each in wire.ask("GET", artifacts).json()["value"]]
    assert "outputs/kept" in paths
    assert not [each for each in paths if "link" in each or "credentials" in each]


def test_an_input_over_a_link_fails_the_job(local, place):
    from azure.ai.ml import Input

    _, name, _ = place
    uri = f"azureml://datastores/workspaceblobstore/paths/{name}/folder/credentials.json"
    job = submitted(local, "cat ${{inputs.x}}", inputs={"x": Input(type="uri_file", path=uri)})
    assert local.ended(job.name) == "Failed"
    wire = Wire(local)
    details = wire.ask(
        "GET", f"https://eastus.api.azureml.ms/history/v1.0{wire.workspace}/runs/{job.name}/details"
    ).json()
    assert "leads over a symbolic link" in details["error"]["error"]["message"]
