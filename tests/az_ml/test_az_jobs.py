"""Jobs through `az ml`, as far as no training is needed: printed shapes, exit codes, texts."""

from pathlib import Path


def test_jobs(az, given):
    name = given.name("job")
    job = az.submit("-n", name, "--set", "tags.run=1", "jobs.tune.inputs.num_train_epochs=9")
    assert job["tags"]["run"] == "1"
    assert job["jobs"]["tune"]["inputs"]["num_train_epochs"] == "9"
    given.shape(az("job", "show", "-n", name), "job")
    assert az("job", "show", "-n", name, "--query", "status", "-o", "tsv").strip() in (
        *("NotStarted", "Queued", "Preparing", "Provisioning", "Starting", "Running"),
    )
    az("job", "download", "-n", name, code=1)
    assert "Download is allowed only in states" in az.err
    assert az("job", "cancel", "-n", name) == "" and az.err == ""
    text = az("job", "stream", "-n", name)  # exit 0 for a cancelled job: the trap that the Makefile knows
    assert text.startswith(f"RunId: {name}\nWeb View: https://ml.azure.com/runs/{name}?wsid=")
    assert f"Execution Summary\n=================\nRunId: {name}\n" in text
    assert az("job", "show", "-n", name, "--query", "status", "-o", "tsv") == "Canceled\n"
    assert az("job", "show", "-n", name, "--query", "nosuch") == ""
    listed = az("job", "list", "-r", "1", "--query", "[].name", "-o", "tsv")
    assert az.err.splitlines()[0] == "Displaying top 1 results from the list command." and len(listed.split()) == 1
    assert name in az("job", "list", "--all-results", "true", "--query", "[].name", "-o", "tsv").split()
    assert "Displaying" not in az.err
    assert {"Name", "Status"} < set(az("job", "list", "-o", "table").splitlines()[0].split())
    for verb in ("show", "stream", "cancel"):
        az("job", verb, "-n", "nosuch", code=3)


def test_jobs_that_are_refused(az, given):
    Path("train.jsonl").write_text(given.row)
    Path("finetune_config.json").write_text("{}")
    Path("job.yml").write_text(given.job)
    az("job", "create", "-f", "job.yml", "--set", "inputs.train.path=./no.jsonl", code=1)
    assert "No such file or directory" in az.err and "no.jsonl" in az.err
    az("job", "create", "-f", "job.yml", "--set", "jobs.tune.inputs.nosuch=1", code=1)
    assert "nosuch" in az.err
    az("job", "create", "-f", "job.yml", "--set", "compute=azureml:gpu-none", code=1)
    assert "gpu-none" in az.err
