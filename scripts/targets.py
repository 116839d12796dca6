"""The commands that sentences advise, and the words about money in them.

The Makefile hands down what stands behind a target in a call like the present one (ENV=dev BACKEND=local), and whether
what runs there costs anything. So no sentence of a rehearsal on localhost names the command that is paid for.
"""

from __future__ import annotations

import os

CALL = "AZUREML_CHAIN_CALL"  # such as `ENV=dev BACKEND=local`
COSTS = "AZUREML_CHAIN_COSTS"  # `nothing` where nothing is billed
BRIEF = "AZUREML_CHAIN_BRIEF"  # set where a minute is shown as a whole, as by the demo
# What these do is the same on either backend: they read or write files, ask the real registry, or know but one.
ANYWHERE = frozenset("render render-check validate gpu lock lock-check data-check rehearse".split())


def command(targets: str, environment: str = "", more: str = "") -> str:
    """Returns the command that calls targets for an environment (the call's own, where none is named)."""
    own, *switches = os.environ.get(CALL, "").split() or [""]
    words = [f"ENV={environment}" if environment else own]
    if not ANYWHERE.issuperset(targets.split()):
        words += switches
    return " ".join(filter(None, ["make", targets, *words, more]))


def command_on(backend: str, targets: str, environment: str, more: str = "") -> str:
    """Returns the command that calls targets for an environment ('': for all) on a backend, whatever this call has."""
    usual = {"demo": "local", "": ""}.get(environment, "azure")  # as the Makefile has it
    rehearsal = backend == "local" and "REHEARSAL=1" in os.environ.get(CALL, "")
    switch = "REHEARSAL=1" if rehearsal else f"BACKEND={backend}" if backend != usual else ""
    return " ".join(filter(None, ["make", targets, f"ENV={environment}" if environment else "", switch, more]))


def costs_nothing() -> bool:
    """Tells whether nothing that runs is billed, as on localhost."""
    return os.environ.get(COSTS) == "nothing"


def brief() -> bool:
    """Tells whether only what matters is to be printed; files and logs have the rest."""
    return BRIEF in os.environ


def billed(words: str) -> str:
    """Returns words about what is billed, and nothing where nothing is."""
    return "" if costs_nothing() else words
