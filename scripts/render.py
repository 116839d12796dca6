"""`python -m scripts.render`: values and templates to the Azure ML YAML in pipelines/<env>/ and endpoints/<env>/.

The same values and lock give the same bytes: no clock, no random, no host name. Every interpolation passes `to_yaml`
(as Jinja's `finalize`, so that no template can forget it), and therefore no value can change the structure of the YAML.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import terminal
from scripts.azure import autoscale, job_kinds
from scripts.azure.component import SPLITS
from scripts.errors import FAILED, MISSING, UserError, main
from scripts.files import ROOT
from scripts.files import write as write_file
from scripts.targets import command
from scripts.values import data_facts, house_limits
from scripts.values import facts as facts_module
from scripts.values import names as names_module
from scripts.values import parameters as parameters_module
from scripts.values.read import Values, environments, load, parser_of
from scripts.yaml_quoting import bare, to_yaml

if TYPE_CHECKING:
    import jinja2

NOTICE = (
    "Rendered by make render from values.yaml, environments/{environment}.yaml and templates/: edit those, not this."
)
_NOTICE_STARTS = f"# {NOTICE.partition('{')[0]}".encode()
_WITHOUT_NOTICE = ("finetune_config.json", "settings.json")  # JSON has no comments
PREPARE = "prepare"  # folder of the templates for data that is prepared by a step of the pipeline


def render(values: Values, root: Path = ROOT, data_version: str | None = None) -> dict[str, str]:
    """Returns the rendered files of an environment: path relative to the project -> text.

    The job names its data by `data_version`, or else by that of the committed data facts; where it is empty, or there
    are none of these values, the data are left to be bound.
    """
    engine = _engine(root)
    house_limits.read(values, root)  # what is committed is complete
    given = context(values, root, data_version)
    files = {}
    for path in sorted((root / "templates").glob("*/**/*.yml.j2")):
        template = path.relative_to(root / "templates")
        kind, *within = template.parts
        name = _made_by(values, *within)
        if not name:
            continue
        target = Path(kind, values.environment, *within[:-1], name)
        try:
            files[target.as_posix()] = engine.get_template(template.as_posix()).render(given)
        except Exception as error:  # an expression in a template can fail in every way that Python can
            line = getattr(error, "lineno", None) or _template_line(error)
            raise UserError(f"templates/{template.as_posix()}:{line}: {error}") from None
    if not files:
        raise UserError("templates/: no *.yml.j2 below it; restore it or run in the project's folder", MISSING)
    config = values.data["model"].get("finetune_config")
    if config:
        files[f"pipelines/{values.environment}/finetune_config.json"] = _json(config)
    if in_pipeline(values):
        settings = {key: values.data[key] for key in ("dataset", "model", "finetune")}
        files[f"pipelines/{values.environment}/{PREPARE}/settings.json"] = _json(settings)
    return files


def _made_by(values: Values, *template: str) -> str:
    """Returns the name of the file that a template makes of these values, an empty text where it makes none."""
    jobs = {"finetune.yml.j2": job_kinds.PIPELINE, "finetuning.yml.j2": job_kinds.FINETUNING}
    if template[0] in jobs:
        return "finetune.yml" if job_kinds.chosen(values.data) == jobs[template[0]] else ""
    wanted = {PREPARE: in_pipeline(values), "autoscale.yml.j2": bool(values.data["deployment"].get("autoscale"))}
    return template[-1].removesuffix(".j2") if wanted.get(template[0], True) else ""


@functools.cache
def _engine(root: Path) -> jinja2.Environment:
    """Returns what compiles the templates of a tree: once, unless they change."""
    import jinja2

    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root / "templates"),
        variable_start_string="[[", variable_end_string="]]",
        block_start_string="[%", block_end_string="%]",
        comment_start_string="[#", comment_end_string="#]",
        undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True, finalize=to_yaml,
    )  # fmt: skip
    engine.filters["bare"] = bare
    return engine


def in_pipeline(values: Values) -> bool:
    """Says whether the data is prepared by a step of the pipeline, and not by `make data`."""
    return bool(values.data["dataset"].get("where") == "azureml")


def raw_input(source: str) -> dict[str, str] | None:
    """Returns type and path of the job's input for a data source; None for a hub id, which the step reads itself."""
    is_file = re.search(r"\.(jsonl|ndjson|json|csv|tsv|parquet|arrow)(\.(gz|zst|bz2|xz|zip))?$|\.zip$", source)
    if not is_file and re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        return None
    path = source if source.startswith(("azureml:", "/")) else f"../../{source}"
    return {"type": "uri_file" if is_file else "uri_folder", "path": path}


def requirements(root: Path = ROOT) -> list[str]:
    """Returns the core packages with their pins: what the preparation needs on the cluster is what it needs here."""
    import tomllib

    groups = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    return [package for package in groups["core"] if not package.startswith("azure-")]


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def context(values: Values, root: Path = ROOT, data_version: str | None = None) -> dict[str, Any]:
    """Returns what the templates may use: values, names, parameters, and the few sentences made from them."""
    facts = facts_module.load(values, root)
    parameters = parameters_module.resolve(values, facts)
    names = names_module.build(values, facts, parameters)
    data, model, environment = values.data["dataset"], values.data["model"], values.environment
    if data_version is None:
        prepared = data_facts.current(values, root)
        data_version = prepared.version if prepared else ""
    size = facts.size(values.data["compute"]["size"])
    return {
        "notice": bare(NOTICE.format(environment=environment)),
        "environment": environment,
        "values": values.data,
        "names": names,
        "parameters": parameters,
        "size_note": f"{size.gpus_per_node} x {size.gpu}, {size.gpu_memory_gb} GB each"
        if size and size.gpus_per_node
        else "not in the catalog",
        "base_model_version": facts.model.version or model.get("huggingface_id", ""),
        "description": f"Fine-tune {model['name']} on {data['percent']} % of {data['source']}",
        "data": {
            **{split: f"../../data/{environment}/{split}.jsonl" for split in SPLITS},
            "assets": {split: f"azureml:{names.data}-{split}:{data_version}" for split in SPLITS}
            if data_version
            else {},
            "facts": data_facts.file_name(environment),
            "description": f"{data['percent']} % of {data['source']} as conversations",
        },
        "promoted": names_module.promoted(facts, names),
        "in_pipeline": in_pipeline(values),
        "preparation_compute": f"azureml:{values.data['compute']['preparation']['name']}",
        "raw": raw_input(data["source"]),
        "requirements": requirements(root) if in_pipeline(values) else [],
        "experimental": job_kinds.EXPERIMENTAL,
        "component": facts.component.name,
        "endpoint_id": names_module.endpoint_id(values),
        "endpoint_metrics": autoscale.ENDPOINT_METRICS,
    }


def write(files: dict[str, str], environment: str, root: Path = ROOT) -> list[str]:
    """Writes the files that differ, and removes those that no template makes any more; returns what it changed.

    Whoever reads a file meanwhile sees the old one or the new one, never half.
    """
    changed = stale(files, environment, root)
    for path in changed:
        target = root / path
        if path in files:
            write_file(target, files[path])
        else:
            target.unlink()
            if not any(target.parent.iterdir()):  # that a folder is there can mean something, as prepare/ does
                target.parent.rmdir()
    return changed


def stale(files: dict[str, str], environment: str, root: Path = ROOT) -> list[str]:
    """Returns the paths whose content on disk is not what rendering gives, those to be removed included.

    A file that was not rendered, such as somebody's notes, is left alone.
    """
    present = {
        path.relative_to(root).as_posix()
        for kind in ("pipelines", "endpoints")
        for path in (root / kind / environment).rglob("*")
        if path.is_file() and (path.name in _WITHOUT_NOTICE or path.read_bytes().startswith(_NOTICE_STARTS))
    }
    return sorted(path for path in present | set(files) if _read(root / path) != files.get(path))


def otherwise(values: Values, root: Path = ROOT, any_data: bool = False) -> list[str]:
    """Returns the rendered files that are not what the values give.

    A job that names no data yet is right as well, facts or not: what is prepared is bound to it. With `any_data` it may
    name any: who prepares the data writes their facts, whether these are old, damaged or not there.
    """
    version = _named_data(values.environment, root) if any_data else None
    paths = stale(render(values, root, version), values.environment, root)
    if paths and version != "":
        unbound = stale(render(values, root, ""), values.environment, root)
        paths = [path for path in paths if path in unbound]
    return paths


def lag(values: Values, root: Path = ROOT, any_data: bool = False) -> str:
    """Returns a sentence where the rendered files are not what the values give, an empty text where they are."""
    paths = otherwise(values, root, any_data)
    if not paths:
        return ""
    others = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
    todo = command("render", values.environment)
    if values.sets:
        first = values.sets[0] + (" …" if len(values.sets) > 1 else "")
        return (
            f"{paths[0]}{others}: is not what SET={first} gives; {todo} with the same SET writes it, or leave SET out"
        )
    return f"{paths[0]}{others}: is not what the values give by now; {todo} writes it anew"


def _named_data(environment: str, root: Path) -> str:
    """Returns the version of the data that the rendered job names, an empty text where it names none."""
    found = re.search(
        r"azureml:\S+-train:([0-9a-f]+)$", _read(root / f"pipelines/{environment}/finetune.yml") or "", re.M
    )
    return found[1] if found else ""


def require_fresh(values: Values, root: Path = ROOT, any_data: bool = False) -> None:
    """Raises a `UserError` where the rendered files are stale: what was checked is not what would run."""
    sentence = lag(values, root, any_data)
    if sentence:
        raise UserError(f"{sentence}; nothing was run")


def difference(files: dict[str, str], paths: list[str], root: Path = ROOT) -> str:
    """Returns the unified diff from the committed files to what rendering gives."""
    import difflib

    lines: list[str] = []
    for path in paths:
        before, after = _read(root / path) or "", files.get(path, "")
        lines += difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), f"committed/{path}", f"rendered/{path}"
        )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _read(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", "backslashreplace") if path.exists() else None


def _template_line(error: Exception) -> int:
    lines = []
    traceback = error.__traceback__
    while traceback:
        if traceback.tb_frame.f_code.co_filename.endswith(".j2"):
            lines.append(traceback.tb_lineno)
        traceback = traceback.tb_next
    return lines[-1] if lines else 1


def run(arguments: list[str] | None = None) -> int:
    """The command: renders one environment, or with --check compares what is committed for it (or for all)."""
    parser = parser_of("render", "Render the YAML of an environment.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 with the diff when files are stale"
    )
    parser.add_argument(
        "--require",
        action="store_true",
        help="change nothing; refuse files that are stale, whatever data the job names",
    )
    parser.add_argument("--all", action="store_true", help="every environment instead of --env")
    options = parser.parse_args(arguments)
    act = _check if options.check else _render
    if options.require:
        require_fresh(load(options.env, options.sets), any_data=True)
        return 0
    chosen = (options.all and environments()) or [options.env]
    return max([act(load(environment, options.sets)) for environment in chosen])


def _check(values: Values) -> int:
    files = render(values)
    paths = stale(files, values.environment)
    for sentence in not_named(values, facts_module.load(values)):
        print(f"note: {sentence}", file=sys.stderr)
    if not paths:
        return 0
    print(difference(files, paths), end="")
    print(f"error: {', '.join(paths)}: stale; run {command('render', values.environment)} and commit", file=sys.stderr)
    return FAILED


def not_named(values: Values, facts: facts_module.Facts, root: Path = ROOT) -> Iterator[str]:
    """Yields what was committed and is named nowhere, since it is not of these values."""
    environment = values.environment
    prepared = None if in_pipeline(values) else data_facts.read(environment, root)
    if prepared and not prepared.is_of(values):
        yield (
            f"{data_facts.file_name(environment)}: is of other values, so the job names no data; "
            f"{command('data', environment)} writes it anew"
        )
    names = names_module.build(values, facts, parameters_module.resolve(values, facts))
    if facts.promoted and not names_module.promoted(facts, names):
        yield (
            f"environments/{environment}.lock.yaml: the model that was promoted is {facts.promoted.model}, not "
            f"{names.model}, so the deployment names no version; {command('promote', environment)} lets one through"
        )


def _render(values: Values) -> int:
    environment = values.environment
    copied = [house_limits.copy_path(environment).relative_to(ROOT).as_posix()] * house_limits.take(values)
    files = render(values)
    changed = copied + write(files, environment)
    facts = facts_module.load(values)
    if changed:  # said with what it changed, and not again
        for sentence in parameters_module.disagreements(values, facts):
            print(terminal.wrapped(f"note: {sentence}", "  ", ""))
    if facts.origin == "catalog":
        lack = "its lock pins another model" if facts.lock else "no lock"
        print(terminal.wrapped(f"{environment}: {lack}; {command('lock', environment)} pins today's facts", "  ", ""))
    for sentence in not_named(values, facts):
        print(terminal.wrapped(f"note: {sentence}", "  ", ""))
    done = f"rendered {', '.join(changed)}" if changed else f"{len(files)} files are up to date"
    print(terminal.wrapped(f"{environment}: {done}", "  ", ""))
    return 0


if __name__ == "__main__":
    main(run)
