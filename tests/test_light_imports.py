"""Help and rendering load nothing heavy, and checking offline only what reads the YAML, in a fresh interpreter.

The linter's contract (pyproject.toml) sees every import that is written down; this sees those that are carried out.
"""

import json
import subprocess
import sys

import pytest

from scripts.files import ROOT

HEAVY = {"azure", "datasets", "mlflow", "numpy", "pandas", "pyarrow", "torch", "transformers"}
VERBS = sorted(
    {path.parent.name for path in (ROOT / "scripts").glob("*/__main__.py")}
    | {path.stem for path in (ROOT / "scripts").glob("*.py") if '\nif __name__ == "__main__":' in path.read_text()}
)


def loaded(calls: list[list[str]]) -> dict[str, list[str]]:
    """Runs commands one after another in one new interpreter; returns what each of them was the first to load."""
    program = f"""
import contextlib, io, json, runpy, sys
first = {{}}
for words in {calls!r}:
    sys.argv, before = words, set(sys.modules)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            runpy.run_module("scripts." + words[0], run_name="__main__", alter_sys=True)
        except SystemExit as end:
            assert not end.code, (words, end.code)
    first[" ".join(words)] = sorted(set(sys.modules) - before)
print(json.dumps(first))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_verbs_are_found():
    assert {"render", "validate", "preflight", "gpu", "lock", "dataset", "evaluate", "az_ml", "local"} <= set(VERBS)


def test_help_of_every_verb_is_light():
    calls = [[verb, "--help"] for verb in VERBS] + [["az_ml", "job", "create", "--help"], ["chat.web", "--help"]]
    calls += [["chain.watch", "--help"], ["chain.whole", "--help"]]
    for call, modules in loaded(calls).items():
        assert HEAVY & set(modules) == set(), call


def test_who_watches_a_target_loads_no_library_but_yaml():
    """Every target begins with it, and what it loads the target's programs find loaded."""
    ((_, modules),) = loaded([["chain.watch", "--help"]]).items()
    packages = {name.partition(".")[0] for name in modules if "cython" not in name} - set(sys.stdlib_module_names)
    assert packages == {"scripts", "yaml"}


def test_rendering_is_light():
    for call, modules in loaded([["render", "--check", "--all"], ["state", "--help"]]).items():
        assert HEAVY & set(modules) == set(), call


@pytest.mark.parametrize("environment", ["demo", "dev"])
def test_validating_loads_the_sdks_loaders_and_nothing_for_data_or_training(environment):
    ((_, modules),) = loaded([["validate", "--env", environment]]).items()
    assert HEAVY & set(modules) == {"azure"}
    assert "azure.identity" not in modules  # nobody logs in
