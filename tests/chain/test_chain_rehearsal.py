"""What is rehearsed: a model that is too big for a laptop, and data that the pipeline prepares itself."""

import pytest

pytestmark = pytest.mark.slow


def test_prod_is_rehearsed_with_a_stand_in_that_is_named(chain):
    shown = chain.make("all", "ENV=prod")
    assert "stand" in shown
    assert "Phi-4" in shown
    assert "true answer:" in shown
    assert "nothing is billed" in shown


def test_the_pipeline_prepares_the_data_itself(chain):
    environment_file = chain.project / "environments" / "demo.yaml"
    text = environment_file.read_text()
    environment_file.write_text(text.replace("dataset:\n", "dataset:\n  where: azureml\n", 1))
    chain.make("render", "validate", "ENV=demo")
    shown = chain.make("all", "ENV=demo")
    assert "rows in" in shown
    assert "true answer:" in shown
    assert (chain.project / "data" / "demo" / "report.html").exists()
    assert not (chain.project / "data" / "demo" / "train.jsonl").exists()
