"""Shares as a person gives and sees them, with a program in az's place."""

import pytest

from scripts.errors import USAGE
from scripts.rollout import traffic
from tests.chain.world import refused
from tests.rollout.standing import (
    shares,
    stands,
)


@pytest.mark.parametrize(("given", "mirror", "said"), [
    ("demo=70", "", "TRAFFIC: the shares add up to 70; allowed are 100, and 0 for none"),
    ("dmo=100", "", "TRAFFIC: endpoint azureml-chat-6aa76914 has no deployment 'dmo' (did you mean 'demo'?); it has"),
    ("demo=100 demo=0", "", "TRAFFIC: names demo twice"),
    ("demo", "", "TRAFFIC: 'demo' is no share: write TRAFFIC=\"demo=90 demo-2=10\""),
    ("demo=101", "", "TRAFFIC: 'demo=101' is no share"),
    ("demo=" + "9" * 5000, "", "TRAFFIC: 'demo=999"),
    (" ", "", "TRAFFIC: '' is no share"),
    ("", "demo-2", "MIRROR: 'demo-2' is no share: write MIRROR=\"demo-2=10\""),
    ("bad=100", "", "TRAFFIC: deployment bad is Failed, and answers nothing"),
    ("", "demo-2=51", "MIRROR: demo-2=51: allowed are 0 to 50 per cent"),
    ("", "demo=10", "MIRROR: demo has live traffic"),
    ("demo=0 demo-2=100", "demo=10 bad=10", "MIRROR: names 2 deployments"),
])  # fmt: skip
def test_wrong_shares_are_refused_before_they_are_sent(made, given, mirror, said):
    stands(made, "demo", share=100)
    stands(made, "demo-2")
    made.thing("deployment/bad", "Failed")
    code, sentence = refused(traffic.give, made.run, given, mirror)
    assert code == USAGE and sentence.startswith(said) and made.calls() == []


def test_shares_are_given_and_shown(made, capfd):
    stands(made, "demo", share=100)
    stands(made, "demo-2", 2)
    traffic.give(made.run, "", "demo-2=20")
    traffic.give(made.run, "demo=60 demo-2=40", "demo-2=0")
    assert shares(made) == [("demo=100", "demo-2=20"), ("demo=60 demo-2=40", "demo-2=0")]
    lines = capfd.readouterr().out.splitlines()
    assert lines[-2].split()[:5] == ["demo", "60", "%", "0", "%"] and max(map(len, lines)) <= 80


def test_the_table_does_not_wait_for_one_that_is_being_made(made, capfd):
    stands(made, "demo", share=100)
    made.thing("deployment/demo-2", "Creating")
    traffic.show(made.run)
    assert "Creating" in capfd.readouterr().out
