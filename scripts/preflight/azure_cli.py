"""Check of the program that answers to az: a version of its extension in which the chain is known to fail."""

from __future__ import annotations

from scripts.azure import az_extension
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned


def extension(context: Context) -> Finding:
    """Fails for no extension ml, warns for a version of it that is known to fail somewhere in the chain."""
    program = context.az
    if not program:
        return skipped("which program answers to az was not said (--az)")
    if not az_extension.is_official(program):
        return skipped(f"{program} answers to az, not the Azure CLI")
    found = az_extension.installed(program)
    add = f"az extension add --name ml --version {az_extension.TRIED} --upgrade"
    if not found.extension:
        return failed(f"azure-cli {found.cli} has no extension ml", add)
    for each in az_extension.broken():
        if each.holds(found.extension, found.cli):
            return warned(
                f"extension ml {found.extension} of azure-cli {found.cli} is known to fail in {each.fails} "
                f"({each.source})",
                f"{add}; az extension remove --name ml first where that says that it already exists",
            )
    return passed(f"azure-cli {found.cli} with extension ml {found.extension}")
