"""The targets as a user calls them: the real Makefile, the real verbs, on an Azure ML that only seems to train."""

import json
import shutil
import subprocess

import pytest

from scripts.files import ROOT
from tests.chain.conftest import Chain
from tests.local.conftest import FAKES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    made = Chain(tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("home"), FAKES)
    (made.project / "tests").symlink_to(ROOT / "tests")
    yield made
    made.emulated.down()


def make(chain, *words):
    """Calls a target and returns its exit code and the lines of its output."""
    done = subprocess.run(
        chain.words(*words, "ENV=demo"), cwd=chain.project, env=chain.env, text=True, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=300,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_plan_apply_and_drift_in_a_fresh_clone(chain):
    code, shown, _ = make(chain, "plan")
    assert (code, shown[-1]) == (2, "Plan: 8 to create, 0 to change, 0 to delete, 0 unchanged")
    assert max(len(line) for line in shown) <= 80
    code, shown, said = make(chain, "apply")
    assert code == 2 and "make apply ENV=demo YES=1 does what the plan says" in " ".join(said.split())
    code, shown, said = make(chain, "apply", "YES=1")
    assert code == 0, said
    assert shown[-1] == "Applied: all of demo is as its YAML says"
    assert len(chain.versions()) == 1
    code, shown, _ = make(chain, "plan", "OUTPUT=json")
    assert code == 0 and json.loads("\n".join(shown))["plan"] == {"create": 0, "change": 0, "delete": 0, "unchanged": 8}
    assert make(chain, "drift")[:2] == (0, ["No drift of demo"])
    code, shown, said = make(chain, "provenance", f"RESULT={chain.home / 'card'}", "MODEL=1")
    assert code == 0, (shown, said)
    assert shown[-2].startswith("written:") or shown[-1].startswith("written:")
    assert max(map(len, shown)) <= max(80, len(str(chain.home)) + 20) and (chain.home / "card" / "bom.json").is_file()
    shutil.rmtree(chain.project / ".runs")  # as in somebody else's clone
    shutil.rmtree(chain.project / "data")
    assert make(chain, "apply", "YES=1")[0] == 0
    assert len(chain.versions()) == 1
