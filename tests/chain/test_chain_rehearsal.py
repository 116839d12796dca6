"""What is rehearsed: a model that is too big for a laptop, with data that the pipeline prepares itself."""

import pytest
import yaml

pytestmark = pytest.mark.slow


def test_prod_is_rehearsed_with_a_stand_in_that_is_named_and_prepares_its_data_itself(chain):
    environment_file = chain.project / "environments" / "prod.yaml"
    own_data = yaml.safe_load((chain.project / "environments" / "demo.yaml").read_text())["dataset"]
    values = yaml.safe_load(environment_file.read_text()) | {
        "dataset": {**own_data, "where": "azureml", "tokens": "sample"}
    }
    environment_file.write_text(yaml.safe_dump(values))
    chain.make("render", "validate", "ENV=prod")
    shown = chain.make("all", "ENV=prod")
    assert "stands in for" in shown
    assert "Phi-4" in shown
    assert "verdict   ready" in shown
    assert "true answer:" in shown
    assert "no endpoint ultrachat-completion-" in shown and "billed" not in shown and "USD" not in shown
    assert (chain.project / "data" / "prod" / "report.html").exists()
    assert not (chain.project / "data" / "prod" / "train.jsonl").exists()
