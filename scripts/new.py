"""`python -m scripts.new ENV --from ENV`: a new environment, as another one is, and what to edit next in it.

Its names are its own by themselves: jobs, the tag `environment` and the digits behind the endpoint's name come from the
environment's name. What a person has to say stays to be said: the file is copied with its comments.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from scripts import files, render
from scripts.azure import lock_file
from scripts.errors import USAGE, UserError, main
from scripts.files import ROOT
from scripts.targets import command
from scripts.values import house_limits, names
from scripts.values.read import environments, load, name_fault
from scripts.workspace import PLACEHOLDERS

DEFAULT = "dev"
NO_NAME = "new: say what the environment is called: make new ENV=staging (and FROM=<environment> that it starts from)"


def create(environment: str, origin: str, root: Path = ROOT) -> list[Path]:
    """Writes the files of a new environment, rendered ones included, and returns them; nothing where that fails."""
    refuse(environment, root)
    load(origin, root=root)  # that it is there, and right
    own = root / "environments" / f"{environment}.yaml"
    sources = {
        own: root / "environments" / f"{origin}.yaml",
        lock_file.lock_path(environment, root): lock_file.lock_path(origin, root),
        house_limits.copy_path(environment, root): house_limits.copy_path(origin, root),
    }
    written = []
    try:
        for target, source in sources.items():
            text = files.read_text(source, f"restore it, or take another environment: FROM={DEFAULT}")
            if text and source.name.endswith(".lock.yaml"):
                text = _unpromoted(text)
            if text is not None:
                files.write(target, renamed(text, origin, environment) if target == own else text)
                written.append(target)
        rendered = render.render(load(environment, root=root), root)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return written + [root / path for path in render.write(rendered, environment, root)]


def refuse(environment: str, root: Path = ROOT) -> None:
    """Raises a `UserError` for a name that is taken or none, in whatever letters: some disks do not tell them apart."""
    known = environments(root)
    fault = name_fault(environment)
    if fault:
        raise UserError(f"ENV={environment}: {fault}: make new ENV=staging" if environment else NO_NAME, USAGE)
    taken = [name for name in known if name.lower() == environment.lower()]
    if taken:
        raise UserError(
            f"environments/{taken[0]}.yaml: is there already; edit it, or take another name: make new "
            f"ENV={environment[:14]}-2 FROM={taken[0]}",
            USAGE,
        )
    left = [kind for kind in ("pipelines", "endpoints") if (root / kind / environment).exists()]
    if left:
        raise UserError(
            f"{left[0]}/{environment}/: is there already, of an environment that is gone; delete it, or take another "
            "name",
            USAGE,
        )


def _unpromoted(text: str) -> str | None:
    """Returns a lock without the model version that was promoted, the other environment's; None where that is all."""
    left = re.sub(r"(?m)^promoted:\n(?: .*\n?)*", "", text)
    return left if re.search(r"(?m)^[^#\s]", left) else None


def renamed(text: str, origin: str, environment: str) -> str:
    """Returns an environment's file as another one's: its first comment names both, placeholders are its own."""
    text = re.sub(rf"^# {re.escape(origin)}: ", f"# {environment} (made from {origin}): ", text, count=1, flags=re.M)
    for key, placeholder in PLACEHOLDERS.items():
        old = rf"^(\s+{key}: +){re.escape(placeholder)}-{re.escape(origin)}(?=\s|$)"
        text = re.sub(old, rf"\g<1>{placeholder}-{environment}", text, flags=re.M)
    return text


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.new", description="Write a new environment.")
    parser.add_argument("environment", metavar="ENV", help="its name: 1 to 16 letters, digits, - and _")
    parser.add_argument("--from", dest="origin", default=DEFAULT, metavar="ENV", help="the one that it starts as")
    options = parser.parse_args(arguments)
    create(options.environment, options.origin)
    print(f"wrote environments/{options.environment}.yaml, as {options.origin} is, and rendered it")
    print(f"its endpoint: {names.endpoint_name(load(options.environment))}")
    print("next: write your workspace (azure) and what differs (model, dataset) there, then")
    print(f"      {command('render validate preflight', options.environment)}")
    return 0


if __name__ == "__main__":
    main(run)
