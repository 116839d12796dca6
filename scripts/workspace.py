"""`python -m scripts.workspace`: the workspace of an environment, as options for `az ml`.

With --real it refuses the placeholders that ship with the project: the Makefile asks so before anything reaches Azure.
With --list it prints the names of all environments, and of those without a placeholder, as JSON: workflows read that.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from scripts.errors import UserError, main
from scripts.files import ROOT
from scripts.values.read import Values, environments, from_arguments, load, parser_of

PLACEHOLDERS = {  # key -> its placeholder, which may have the environment's name appended
    "subscription_id": "00000000-0000-0000-0000-000000000000",
    "resource_group": "my-resource-group",
    "workspace": "my-workspace",
}


def options(values: Values) -> str:
    """Returns `--subscription … --resource-group … --workspace-name …` for a shell: a group may have parentheses."""
    azure = values.data["azure"]
    where = {"--subscription": "subscription_id", "--resource-group": "resource_group", "--workspace-name": "workspace"}
    return shlex.join(word for option, key in where.items() for word in (option, azure[key]))


def placeholders(values: Values) -> list[str]:
    """Returns the keys of the workspace that still hold a placeholder."""
    azure = values.data.get("azure") or {}
    return [
        f"azure.{key}"
        for key, placeholder in PLACEHOLDERS.items()
        if azure.get(key) in (placeholder, f"{placeholder}-{values.environment}")
    ]


def listed(root: Path = ROOT) -> str:
    """Returns two lines, `all=[…]` and `azure=[…]`: every environment, and those with a workspace of their own."""
    names = environments(root)
    real = [name for name in names if not placeholders(load(name, root=root, check=False))]
    return f"all={json.dumps(names)}\nazure={json.dumps(real)}"


def refuse_placeholders(values: Values) -> None:
    """Raises a `UserError` that names every placeholder which is still in the values."""
    if left := placeholders(values):
        raise UserError(
            f"{values.where(left[0])}: {', '.join(left)}: still the placeholder; write your workspace's into "
            f"environments/{values.environment}.yaml, or rehearse without an account: add BACKEND=local"
        )


def run(arguments: list[str] | None = None) -> int:
    """The command: prints the options."""
    parser = parser_of("workspace", "Print the workspace's az options.")
    parser.add_argument("--real", action="store_true", help="refuse placeholders")
    parser.add_argument("--list", action="store_true", help="print the names of the environments instead, as JSON")
    chosen = parser.parse_args(arguments)
    if chosen.list:
        print(listed())
        return 0
    values = from_arguments(chosen)
    if chosen.real:
        refuse_placeholders(values)
    print(options(values))
    return 0


if __name__ == "__main__":
    main(run)
