"""Card and bill: what they tell, that schema and parser take them, that nobody's text becomes markup in them."""

import dataclasses
import json
import re

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts.azure import chat_models
from scripts.pages.markdown import rendered
from scripts.provenance import bom, card
from scripts.provenance.line import DIFFERS, OK, UNVERIFIED, DataFile, Job, Line, Model
from scripts.values.data_facts import DataFacts, Split
from scripts.values.parameters import Parameter
from tests.evaluate.test_evaluate_evaluation import made

SPLIT = Split(200, 24_000, 0, (), "exact")
FACTS = DataFacts("0123456789ab", "some/chat", "main", "c" * 40, 5.0, "ba9876543210",
                  {"train": SPLIT, "validation": SPLIT, "test": SPLIT})  # fmt: skip
PHI = "azureml://registries/azureml/models/Phi-4/versions/8"
EVIL = "a|b <script>alert(1)</script> [x](http://x) ![i](http://i)\n# head `c` \x1b[2J\u202eend\n---\n"


def line(text: str = "plain", **changes) -> Line:
    """A whole line, in which others wrote a text wherever they can."""
    found = Line("demo", "w", endpoint=text, deployment=text, commit="c" * 40, license=text, facts=FACTS)
    found.model = Model(
        "m", "3", text, files="sha256:1", count=2, size=9, packages=("mlflow>=2.12,<3", "torch==2.1", text)
    )
    found.job = Job(
        "j", "completed", "2026-11-27 15:20", text, text, "azureml://registries/r/components/c/versions/1", PHI
    )
    found.evaluation = dataclasses.replace(made(), notes=[text])
    found.parameters = {"lora_r": Parameter(16, "environment"), "optim": Parameter(text, "values")}
    found.data = [DataFile("train", "chat-train", "0123456789ab", 200, 9, "a" * 64)]
    found.add(f"job {text}", DIFFERS, text, text, text)
    found.add("lock", OK, "as it was")
    return dataclasses.replace(found, **changes)


def nothing(text: str = "plain") -> Line:
    """What is left where nobody could look at anything."""
    found = Line("demo", "w", model=Model("m", "3"))
    found.add("job ?", UNVERIFIED, text)
    return found


@pytest.mark.parametrize("found", [line(), line(EVIL), nothing(), line(job=None, data=[], facts=None, evaluation=None)])
def test_the_bill_is_one_by_the_strict_schema_and_always_the_same(found):
    text = bom.text(found, found.model)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == bom.text(found, found.model)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)


def test_what_the_bill_tells():
    found = bom.bom(line(), line().model)
    parts = {part["bom-ref"]: part for part in found["components"]}
    assert (parts["base-model"]["name"], parts["base-model"]["version"]) == ("Phi-4", "8")
    assert parts["data-train"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert parts["package-torch"]["purl"] == "pkg:pypi/torch@2.1" and "version" not in parts["package-mlflow"]
    assert found["dependencies"][0]["dependsOn"] == list(parts)
    assert found["metadata"]["timestamp"] == "2026-11-27T15:20:00Z"
    model = found["metadata"]["component"]
    told = {each["name"]: each["value"] for each in model["properties"]}
    assert told["link.lock"] == "ok: as it was" and told["files"] == "sha256:1"
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert {each["type"] for each in metrics} == {"perplexity", "ROUGE-L"} and metrics[0]["value"] == "1.50"
    assert bom.bom(line("other"), line("other").model)["serialNumber"] != found["serialNumber"]


@pytest.mark.parametrize("found", [line(), nothing()])
def test_the_card_is_markdown_behind_a_header(found):
    _, header, body = card.text(found, found.model).split("---\n", 2)
    meta = yaml.safe_load(header)
    assert meta["pipeline_tag"] == "text-generation" and body.lstrip().startswith("# m, version 3")
    html = rendered(body)
    assert html.count("<table>") == (4 if found.job else 1)
    assert "<td>lora_r</td>\n<td>16</td>\n<td>environment</td>" in html or not found.job
    if found.job:
        assert meta["datasets"] == ["some/chat"] and "base_model" not in meta  # which is none of the hub
        (result,) = meta["model-index"][0]["results"]
        assert result["metrics"][0] == {"type": "perplexity", "name": "perplexity", "value": 1.5}
        assert "<td>perplexity</td>\n<td>lower</td>\n<td>1.50 (-inf to inf)</td>" in html
        assert "5.0 % of some/chat, revision main, commit cccc" in html


def test_where_a_package_comes_from_is_told_without_what_opens_it():
    asked = ("--extra-index-url https://me:word@pypi.example", "git+https://word@git.example/a.git", "./here.whl",
             "b @ https://me:word@files.example/b.whl?sig=word", "c[x]>=2,<3", "d==1", "e ; x<'4'")  # fmt: skip
    model = dataclasses.replace(line().model, packages=asked)
    found = {part["name"]: part for part in bom.bom(line(), model)["components"] if part["type"] == "library"}
    assert list(found) == ["b", "c", "d", "e"] and found["d"]["version"] == "1" and "word" not in str(found)
    assert found["b"]["properties"][0]["value"] == "b @ https://files.example/b.whl"


def test_a_hub_model_is_the_base_unless_another_stood_in():
    job = dataclasses.replace(line().job, base="HuggingFaceTB/SmolLM2-135M-Instruct")
    model = line().model
    assert "base_model: HuggingFaceTB/SmolLM2-135M-Instruct\n" in card.text(line(job=job), model)
    said = card.text(line(job=job), dataclasses.replace(model, stand_in="small"))
    assert "base_model" not in said and "**Not trained from it:** small stood in" in said


def test_nobodys_text_becomes_markup_or_an_order():
    text = card.text(line(EVIL), line(EVIL).model)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text) and text.count("\n---\n") == 1
    html = rendered(text.split("---\n", 2)[2])
    assert not re.search(r"<(script|img|a|h1>head)\b", html) and html.count("<h1>") == 1
    assert html.count("<table>") == 4 and "<script>" not in bom.text(line(), line().model)
    assert html.count("<tr>") == rendered(card.text(line(), line().model).split("---\n", 2)[2]).count("<tr>")
    assert yaml.safe_load(text.split("---\n", 2)[1])["license_name"].startswith("a|b")


def test_the_bill_reads_back_and_knows_a_licence():
    licence = chat_models.catalog()["Phi-4"].license or "MIT"
    part = json.loads(bom.text(line(license=licence), line().model))["components"][0]
    assert part["licenses"] == [{"license": {"name": licence}}]
