"""The way from the deployment that answers back to the data: who is asked in which order, and what goes along."""

from __future__ import annotations

from typing import Any

from scripts import state
from scripts.azure import answers, sdk_private
from scripts.chain.run import Run
from scripts.errors import UserError
from scripts.provenance import prepared, trained
from scripts.provenance.line import MISSING, Line
from scripts.provenance.serving import Serving
from scripts.provenance.tree import Tree, Trees
from scripts.targets import command
from scripts.values import facts, parameters


def trace(run: Run, client: Any, trees: Trees, version: str = "") -> Line:
    """Returns the line of what answers, or of a model's version; nothing is changed by it."""
    line = Line(run.environment, str(run.values.data["azure"]["workspace"]))
    serving = Serving(run, client, version)
    name, number = serving.model(run, version)
    model = answers.ask(f"model {name}:{number}", client.models.get, name, number) if number else None
    tags = dict(model.tags or {}) if model else {}
    named = tags.get(state.JOB_TAG, "")
    job = answers.ask(f"job {named}", client.jobs.get, named) if named else None
    taken = prepared.assets(sdk_private.to_dict(job)) if job else {}
    of_job = dict(job.tags or {}) if job else {}

    serving.look(line, trees, tags)
    served = dict(serving.deployment.tags or {}) if serving.deployment is not None else tags
    if model is None:
        line.add(f"model {name}:{number}", MISSING, f"is not in the workspace; {command('register', run.environment)}")
        return line
    beside = {key: of_job[key] for key in ("data",) if key in of_job} | ({state.JOB_TAG: named} if job else {})
    trained.look_at_model(line, trees, client, model, beside)
    trained.look_at_evaluation(line, trees.of(served), model, run.root)
    line.tree, line.commit = trees.of(of_job or tags), (of_job or tags).get("commit", "")
    if job is None:
        why = "is not in the workspace any more" if named else "is named by no tag of the model"
        line.add(
            f"job {named or '?'}", MISSING, f"{why}; {command('finetune register', run.environment)} makes another"
        )
    else:
        given = trained.look_at_job(line, trees, job, prepared.version_of(taken))
        trained.look_at_tree(line, line.tree, of_job)
        trained.look_at_inputs(line, line.tree, given)
    prepared.look(line, client, taken, line.tree, (of_job or tags).get("data", ""))
    _resolve(line, line.tree)
    return line


def _resolve(line: Line, tree: Tree | None) -> None:
    """Keeps the parameters of the tree, with who decided each, and the base model's licence, as far as known."""
    try:
        known = facts.load(tree.values, tree.root) if tree else None
        line.parameters = parameters.resolve(tree.values, known) if tree and known else {}
    except UserError:  # what is wrong there a link has said
        return
    line.license = known.model.license if known else ""
