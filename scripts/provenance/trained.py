"""The model and what it came from: its files as the storage has them, its evaluation and promotion, its job."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts import promote, state
from scripts.azure import answers, job_kinds, lock_file, sdk_private, stored_files
from scripts.chain import tags
from scripts.conversation import model_folder
from scripts.errors import CouldNotAskError, UserError
from scripts.evaluate import evaluation, model_version
from scripts.files import ROOT
from scripts.provenance import tagged
from scripts.provenance.line import DIFFERS, MISSING, OK, UNVERIFIED, Job, Line, Model
from scripts.provenance.tree import Tree, Trees
from scripts.targets import command
from scripts.trained import CONDA

_ASSET = re.compile(r"(?:.*/registries/([^/]+))?.*/(?:models|components)/([^/]+)/(?:versions|labels)/([^/]+)")


def look_at_model(line: Line, trees: Trees, client: Any, entity: Any, beside: Mapping[str, str]) -> None:
    """Adds the links of a model version and of its files."""
    found, version = dict(entity.tags or {}), f"{entity.name}:{entity.version}"
    line.model = Model(str(entity.name), str(entity.version), str(entity.description or ""), _made(entity))
    job = found.get(state.JOB_TAG) or "nobody knows which"
    tagged.look(line, trees, f"model {version}", found, {"environment": line.environment, **beside}, f"of job {job}")
    _look_at_files(line, client, entity, found.get(tags.FILES, ""))


def _look_at_files(line: Line, client: Any, entity: Any, wanted: str) -> None:
    assert line.model is not None
    what = "model files"
    try:
        stored = answers.ask(what, sdk_private.stored_files, client, str(entity.path or ""))
        if not stored or not stored.files:
            line.add(what, DIFFERS, f"{line.model.name}:{line.model.version} has none", "no files", wanted)
            return
        if not all(file.etag for file in stored.files):
            line.add(what, UNVERIFIED, "its storage is no blob storage, of which alone ETags are listed")
            return
        now = stored_files.fingerprint(stored.files)
        packages, stand_in = answers.ask(what, _described, stored) or ((), "")
        count, size = len(stored.files), sum(file.size for file in stored.files)
        line.model = replace(line.model, files=now, count=count, size=size, packages=packages, stand_in=stand_in)
    except CouldNotAskError as error:
        line.add(what, UNVERIFIED, f"{error}")
        return
    said = f"{line.model.count} files, {line.model.size / 1e6:,.1f} MB"
    if not wanted:
        line.add(what, UNVERIFIED, f"{said}; nobody noted them down when it was registered (tag files)")
    elif now != wanted:
        line.add(what, DIFFERS, "were written since it was registered", now, wanted)
    else:
        line.add(what, OK, f"{said}, as they were registered")


def _described(stored: Any) -> tuple[tuple[str, ...], str]:
    """Returns the packages that the model's conda.yaml has pip install, and what stood in for its base model."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in {model_folder.DESCRIPTION, CONDA} & set(stored.names):
            folder.joinpath(name).write_bytes(b"".join(stored.content(name)))
        try:
            content, stand_in = model_folder.parsed(folder / CONDA), model_folder.metadata(folder).get("stand_in")
        except UserError:
            return (), ""
    named = content.get("dependencies") if isinstance(content, dict) else None
    pip = [each["pip"] for each in named or [] if isinstance(each, dict) and isinstance(each.get("pip"), list)]
    return tuple(str(package) for packages in pip for package in packages), str(stand_in or "")


def look_at_evaluation(line: Line, tree: Tree | None, entity: Any, root: Path = ROOT) -> None:
    """Adds the links of the evaluation and of the promotion, by the model's tags and the lock of what serves it."""
    found = dict(entity.tags or {})
    promoted = found.get(promote.TAG, "")
    made = model_version.of(entity, entity.name, entity.version)
    todo = command("evaluate promote", line.environment)
    try:
        line.evaluation = evaluation.read(root / "runs" / made.folder.name, made.version, line.environment)
        status = OK if promoted in ("", line.evaluation.hash) else DIFFERS
        said = f"{line.evaluation.answered} of {line.evaluation.asked} questions answered"
        said = said if status == OK else "on this machine is another one than what the version was promoted by"
        line.add("evaluation", status, f"{said} ({line.evaluation.hash})", line.evaluation.hash, promoted)
        for name, text in promote.tags(line.evaluation).items() if promoted == line.evaluation.hash else ():
            if found.get(name) != text:
                line.add(f"evaluation: tag {name}", DIFFERS, "is not what it came to", found.get(name, "nothing"), text)
    except UserError as error:
        is_there = (root / "runs" / made.folder.name / evaluation.FILE).exists()
        line.add("evaluation", DIFFERS if is_there else UNVERIFIED, f"{error}".replace(f"{root}/", ""))
    lock = _lock(tree)
    of_lock = lock.promoted if lock else None
    mine = of_lock and (of_lock.model, of_lock.version) == (entity.name, entity.version)
    if of_lock and mine and promoted and (of_lock.evaluation, of_lock.job) != (promoted, made.job):
        line.add("promotion", DIFFERS, "the lock has another evaluation or job than the version's tags",
                 f"{promoted} of job {made.job}", f"{of_lock.evaluation} of job {of_lock.job}")  # fmt: skip
    elif promoted:
        line.add("promotion", OK, f"by evaluation {promoted}{', as the lock has it' if mine else ', in no lock'}")
    elif mine:
        line.add("promotion", DIFFERS, "the lock promotes this version, which has no such tag", "nothing",
                 of_lock.evaluation if of_lock else "")  # fmt: skip
    else:
        asked = bool(tree and tree.values.data["evaluation"]["before_deploy"])
        why = "and evaluation.before_deploy asks for it" if asked else "which evaluation.before_deploy does not ask for"
        line.add("promotion", MISSING if asked else UNVERIFIED, f"it was not promoted, {why}; {todo}")


def _lock(tree: Tree | None) -> lock_file.Lock | None:
    try:
        return lock_file.read(tree.environment, tree.root) if tree else None
    except UserError:  # the link of the lock says that it is not as it was
        return None


def look_at_job(line: Line, trees: Trees, entity: Any, data: str) -> dict[str, Any]:
    """Adds the link of a job and returns the inputs of its steps; `data`: the version of the data that it took."""
    found, plain = dict(entity.tags or {}), sdk_private.to_dict(entity)
    status = state.plain_status(str(entity.status))
    context = plain.get("creation_context") or {}
    made, by = str(context.get("created_at") or "")[:16].replace("T", " "), str(context.get("created_by") or "")
    steps, given = _given(plain)
    cluster = str(given.get("compute_finetune") or plain.get("compute") or "").removeprefix("azureml:")
    component = ", ".join(str(step["component"]) for step in steps if step.get("component"))
    base = str(_text(given.get("mlflow_model_path")) or given.get("huggingface_id") or plain.get("model") or "")
    line.job = Job(str(entity.name), status, made, by, cluster, component, base)
    what, beside = f"job {entity.name}", {"environment": line.environment, state.JOB_TAG: str(entity.name)}
    said = f"{status.capitalize()}, made {made} by {by or 'nobody knows whom'}, on {cluster or 'no cluster'}"
    tagged.look(line, trees, what, found, beside | ({"data": data} if data else {}), said, own=())
    if status != "completed":
        line.add(what, DIFFERS, "its model is served, or registered, and it did not complete", status, "completed")
    return dict(given)


def _given(plain: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Returns the steps of a job and what it is given, under the component's names; one of type finetuning has none."""
    if job_kinds.of(plain) is job_kinds.FINETUNING:
        base = {"mlflow_model_path": plain["model"]} if plain.get("model") else {}
        return [], {**(plain.get(job_kinds.FINETUNING.parameters) or {}), **base}
    steps = [step for step in (plain.get("jobs") or {}).values() if isinstance(step, dict)]
    return steps, {name: value for step in steps for name, value in (step.get("inputs") or {}).items()}


def look_at_tree(line: Line, tree: Tree | None, found: Mapping[str, str]) -> None:
    """Adds the links of YAML, values and lock, by the tags of the job."""
    for name, what in zip(tags.OF_TREE, ("YAML", "values", "lock"), strict=True):
        told = found.get(name, "")
        if not told:
            todo = f"{command('finetune', line.environment)} tags the next one"
            line.add(what, MISSING, f"the job has no tag {name}; {todo}")
        elif tree is None:
            why = f"commit {found.get('commit', '')[:12]} is not in this clone"
            line.add(what, UNVERIFIED, f"{why}; git fetch, or git fetch --unshallow")
        elif told != tree.tags.get(name):
            line.add(what, *tagged.otherwise(found, tree.title), told, tree.tags.get(name, "nothing"))
        else:
            said = "there was none, and is none" if told == tags.NONE else f"{told[:23]}"
            uncommitted = found.get("tree") == tags.DIRTY and tree.title.startswith("the files")
            line.add(what, OK, f"{said}, as {tree.title}{' (in no commit)' * uncommitted}")


def look_at_inputs(line: Line, tree: Tree | None, given: Mapping[str, Any]) -> None:
    """Adds the links of component, base model and parameters: what the job ran against what its tree says."""
    assert line.job is not None
    try:
        wanted = tree.rendered.document("pipelines", "finetune.yml") if tree else {}
    except UserError:
        wanted = {}
    steps, inputs = _given(wanted)
    component = next((str(step["component"]) for step in steps if step.get("component")), "")
    if not tree or not inputs or bool(component) != bool(line.job.component):
        why = "what it ran is no job of this project" if tree else "the YAML that it ran is not known here"
        for what in ("component", "base model"):
            line.add(what, UNVERIFIED, why)
        return
    lock = _lock(tree)
    if component:
        pinned = "as the lock pins it" if lock and lock.component else "as the catalog has it; no lock pins it"
        _same(line, "component", line.job.component, component, pinned)
    else:
        line.add("component", UNVERIFIED, "a job of type finetuning names none: the service chooses it")
    base = str(_text(inputs.get("mlflow_model_path")) or inputs.get("huggingface_id") or "")
    pinned = (
        "as the lock pins it" if lock and lock.model and not inputs.get("huggingface_id") else "as the YAML names it"
    )
    if line.model and line.model.stand_in:
        said = f"{line.model.stand_in} stood in for it, as a small model does on localhost"
        line.add("base model", DIFFERS, said, line.model.stand_in, shown(base))
    else:
        _same(line, "base model", line.job.base, base, pinned)
    bound = {name for name, value in inputs.items() if str(_text(value)).startswith("${{")} | {"mlflow_model_path"}
    other = [name for name in {*inputs, *given} - bound if not _is_same(given.get(name), inputs.get(name))]
    if other:
        first = sorted(other)[0]
        line.add("parameters", DIFFERS, f"{len(other)} are not as the YAML says: {', '.join(sorted(other)[:5])}",
                 f"{first} {given.get(first)}", f"{first} {inputs.get(first)}")  # fmt: skip
    else:
        line.add("parameters", OK, f"{len(set(inputs) - bound)}, as the YAML says")


def _same(line: Line, what: str, found: str, expected: str, pinned: str) -> None:
    if found == expected:
        line.add(what, OK, f"{shown(found)}, {pinned}")
    else:
        line.add(what, DIFFERS, "the job ran with another one than its YAML names", found, expected)


def shown(reference: str) -> str:
    """Returns name and version of an asset, with its registry, and all else as it is."""
    found = _ASSET.fullmatch(reference)
    return f"{found[2]}:{found[3]}{f' of registry {found[1]}' if found[1] else ''}" if found else reference


def _text(value: Any) -> Any:
    """Returns the path of an input that is an asset or a binding, and all else as it is."""
    return value.get("path") if isinstance(value, dict) else value


def _is_same(one: Any, other: Any) -> bool:
    one, other = _text(one), _text(other)
    try:
        return float(one) == float(other)
    except (TypeError, ValueError):
        return str(one) == str(other)


def _made(entity: Any) -> str:
    context = entity.creation_context
    return str(context.created_at if context and context.created_at else "")[:16]
