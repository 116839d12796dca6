"""Models and data through `az ml`: printed shapes, exit codes, texts."""

import json
from pathlib import Path


def test_registry(az, given):
    model = ["model", "show", "-n", "Phi-3-mini-4k-instruct", "--registry-name", "azureml"]
    given.shape(az.anywhere(*model, "-v", "15"), "model_show_registry")
    one = az.anywhere(*model, "-v", "15", "--query", "id", "-o", "tsv")
    assert one == "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15\n"
    assert az.anywhere(*model, "-l", "latest", "--query", "name", "-o", "tsv") == "Phi-3-mini-4k-instruct\n"
    az.anywhere(*model, code=1)
    assert "Must provide either version or label" in az.err
    az.anywhere(*model, "-v", "999", code=3)
    listed = json.loads(az.anywhere("model", "list", "--registry-name", "azureml", "-r", "2"))
    assert len(listed) == 2
    az.anywhere("model", "show", "-n", "x", "-v", "1", "--registry-name", "noreg", code=3)


def test_data(az, given):
    Path("train.jsonl").write_text(given.row)
    Path("sub").mkdir()
    Path("sub/data.yml").write_text("type: uri_file\nname: talks\npath: ../train.jsonl\ndescription: talk\n")
    given.shape(az("data", "create", "-f", "sub/data.yml", "--set", "version=1"), "data")
    assert az("data", "show", "-n", "talks", "-v", "1", "-o", "none") == ""
    assert az("data", "show", "-n", "talks", "-l", "latest", "--query", "[name,version]", "-o", "tsv") == "talks\n1\n"
    assert "talks" in az("data", "list", "--query", "[].name", "-o", "tsv").split()
    assert az.json("data", "create", "-n", "flags", "-t", "uri_file", "-p", "train.jsonl")["version"] == "1"
    az("data", "show", "-n", "talks", "-v", "2", code=3)
    az("data", "create", "-f", "sub/data.yml", "--version", "2", "--path", "no.jsonl", code=1)
    assert "no.jsonl" in az.err
    Path("train.jsonl").write_text(given.row * 2)
    az("data", "create", "-f", "sub/data.yml", "--set", "version=1", code=1)
    assert "Asset paths cannot be updated" in az.err
    az.anywhere("data", "list", *az.where[:4], code=1)
    assert "--workspace-name/-w, --registry-name" in az.err


def test_models(az, given):
    Path("mdl").mkdir()
    Path("mdl/weights.bin").write_text("weights")
    Path("model.yml").write_text("name: tuned\ntype: custom_model\n")
    create = ["model", "create", "-f", "model.yml", "--path", "./mdl", "--set", "version=6"]
    given.shape(az(*create, "--version", "7"), "model")
    given.shape(az("model", "show", "-n", "tuned", "-v", "7"), "model")
    listed = az.json("model", "list", "-n", "tuned")
    assert listed[0]["model type"] == "custom_model" and "type" not in listed[0]
    az("model", "show", "-n", "tuned", "-v", "8", code=3)
    az("model", "create", "-n", "tuned", "-p", "nosuch-folder", "-t", "custom_model", code=1)
    assert "No such file or directory" in az.err and az.err.count("\n") <= 2
