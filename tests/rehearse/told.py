"""A rehearsal as it comes out, for tests of what is made of it."""

from scripts.evaluate.evaluation import Answers
from scripts.rehearse.record import Met, Rehearsal, Step, Warned

SAID = "Use <b>`x | y`</b>\n@everyone, see ![img](http://a.b)"


def told(**changed):
    """Returns a rehearsal that passed, but for what is given."""
    met = Met(
        "quota-exceeded", "refused for want of cores", "deploy", True, 1, "(OutOfQuota) not *enough*",
        "deployment demo failed; a | b", "quota-serving: no cores", "deployment demo (Failed), 0.53 USD an hour",
        ["make deploy ENV=demo"], 9.0, True,
    )  # fmt: skip
    pool = ("low-priority-pool-empty", "a pool of 0 cores", "compute")
    absent = Met(*pool, False, 0, "", "", "", "nothing", [], 0.0, True)
    made = {
        "environment": "demo",
        "commit": "5471f7d7b2161111111111111111111111111111",
        "changed": [],
        "yaml": "sha256:" + "ab" * 32,
        "begun": "2026-11-27 12:51 UTC",
        "outcome": "passed",
        "seconds": 336.0,
        "steps": [Step("data", 0, 3.2), Step("finetune", 0, 250.0)],
        "stand_ins": ["SmolLM2-135M-Instruct stands in for Phi-4"],
        "losses": {"loss": [[1, 3.5], [10, 1.1], [110, 0.2]], "eval_loss": [[0, 3.2], [110, 0.3]]},
        "capped": "110 of 230 steps",
        "answers": [Answers("1", "user: before\nuser: why | not", "yes", None, SAID)],
        "figures": "valid JSON 24 of 24",
        "on_azure": ["on Azure the job takes 0.5 h, 0.27 USD"],
        "warnings": [Warned("price-age", "the price is old", "make lock ENV=demo")],
        "faults": [met, absent],
    }
    return Rehearsal(**{**made, **changed})
