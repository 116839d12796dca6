"""Values: merging, where a key was written, and a sentence for every typo."""

import json
from pathlib import Path

import pytest

from scripts.errors import MISSING, USAGE, UserError
from scripts.files import ROOT
from scripts.strict_yaml import read_yaml
from scripts.values.read import Values, environments, load
from scripts.workspace import options, refuse_placeholders


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the real schema and values, and an environment to write."""
    for name in ("values.yaml", "values.schema.json"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "dev.yaml").write_text("azure:\n  workspace: team-a\n")
    return tmp_path


def refused(project: Path, *sets: str) -> str:
    with pytest.raises(UserError) as caught:
        load("dev", sets, project)
    return str(caught.value)


def test_every_environment_of_the_project_loads():
    assert environments() == ["demo", "dev", "prod", "reference"]
    for environment in environments():
        assert isinstance(load(environment), Values)


def test_a_later_source_wins_and_null_removes(project):
    (project / "environments" / "dev.yaml").write_text("finetune:\n  learning_rate: 1e-4\n  deepspeed_stage: null\n")
    values = load("dev", ["finetune.num_train_epochs=7"], project)
    assert values.data["finetune"]["learning_rate"] == 1e-4
    assert "deepspeed_stage" not in values.data["finetune"]
    assert values.data["finetune"]["num_train_epochs"] == 7
    assert values.source("finetune.learning_rate") == "environment"
    assert values.where("finetune.learning_rate") == "environments/dev.yaml:2"
    assert values.source("finetune.num_train_epochs") == "--set"
    assert values.source("finetune.apply_lora") == "values"


def test_numbers_are_what_a_reader_takes_them_for(project):
    (project / "environments" / "dev.yaml").write_text("finetune:\n  learning_rate: 5e-6\ndataset:\n  label: on\n")
    data = load("dev", root=project).data
    assert data["finetune"]["learning_rate"] == 5e-6
    assert data["dataset"]["label"] == "on"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("finetune:\n  learning_rat: 1e-4\n", "learning_rat: unknown key (did you mean 'learning_rate'?)"),
        ("azur:\n  workspace: x\n", "environments/dev.yaml:1: azur: unknown key (did you mean 'azure'?)"),
        ("model:\n  version: 15\n", 'dev.yaml:2: model.version: found 15, expected text, so put it in quotes: "15"'),
        ("finetune:\n  precision: 8\n", "environments/dev.yaml:2: finetune.precision: found 8, expected one of 32, 16"),
        ("finetune:\n  lr_scheduler_type: cosin\n", "(did you mean 'cosine'?)"),
        ("finetune:\n  num_train_epochs: 0\n", "finetune.num_train_epochs: found 0, expected at least 1"),
        ("deployment:\n  request_timeout_ms: 900000\n", "request_timeout_ms: found 900000, expected at most 180000"),
        ("compute: gpu\n", "environments/dev.yaml:1: compute: found \"gpu\", expected a mapping"),
        ("endpoint:\n  name: 1st\n", "environments/dev.yaml:2: endpoint.name: found \"1st\""),
        ("compute:\n  size: null\n", "compute.size: missing; add it"),
        ("dataset:\n  source: ''\n", 'dataset.source: found "", expected at least 1 characters'),
        ("dataset:\n  label: " + "x" * 41 + "\n", "expected at most 40 characters"),
        ("finetune:\n  learning_rate: 0\n", "finetune.learning_rate: found 0, expected more than 0"),
        ("dataset:\n  label: true\n", 'dataset.label: found true, expected text, so put it in quotes: "true"'),
        ("dataset:\n  label: []\n", "dataset.label: found [], expected text\n"),
        ("finetune:\n  learning_rate: true\n", "finetune.learning_rate: found true, expected a number\n"),
        ("finetune:\n  lora_dropout: 1.5\n", "dev.yaml:2: finetune.lora_dropout: found 1.5, expected less than 1"),
    ],
)  # fmt: skip
def test_a_typo_is_one_sentence_with_file_line_and_key(project, text, said):
    (project / "environments" / "dev.yaml").write_text(text)
    sentence = refused(project)
    assert said in f"{sentence}\n"
    assert len(sentence.splitlines()) == 1


def test_every_key_of_the_values_refuses_a_typo(project):
    """A misspelt key is found wherever it stands: the schema is strict at every level."""
    original = (ROOT / "values.yaml").read_text()
    _, lines = read_yaml(ROOT / "values.yaml")
    for key, line in lines.items():
        rows = original.splitlines()
        name = key.rpartition(".")[2]
        if name.isdecimal():  # of a list's item
            continue
        rows[line - 1] = rows[line - 1].replace(f"{name}:", f"{name}x:", 1)
        (project / "values.yaml").write_text("\n".join(rows) + "\n")
        assert f"values.yaml:{line}: {key}x: unknown key (did you mean" in refused(project), key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("azure: [\n", "dev.yaml:2: not valid YAML"),
        ("- a\n", "dev.yaml:1: expected a mapping"),
        ("azure:\n  region: eastus\n  region: westus\n", "dev.yaml:3: azure.region: written twice, first in line 2"),
        ("? [a]\n: 1\n", "dev.yaml:1: a key must be plain text"),
        ("azure:\n  region: !!python/object:os.system x\n", "dev.yaml:2: azure.region: a tag such as !!python/object:"),
        ("finetune:\n  seed: !!float abc\n", "dev.yaml:2: finetune.seed: a tag such as !!float"),
        ("finetune:\n  seed: " + "1" * 5000, "dev.yaml:2: finetune.seed: found"),
        ("finetune:\n  learning_rate: 1e999\n", "dev.yaml:2: finetune.learning_rate: found \"1e999\", no float"),
        ("azure:\n  1: 2\n", 'dev.yaml:2: a key must be plain text, found "1"'),
        ("azure:\n  \"a\\nb\": 2\n", 'dev.yaml:2: a key must be plain text, found "a\\nb"'),
        ("azure: &a\n  workspace: abc\nmodel: *a\n", "dev.yaml:3: model: an alias"),
        ("azure: &a\n  workspace: *a\n", "dev.yaml:2: azure.workspace: an alias"),
        ("azure: " + "[" * 100_000, "dev.yaml:1: nested deeper than 50 levels"),
        ("azure: {}\n---\nazure: {}\n", "dev.yaml:2: not valid YAML"),
    ],
)  # fmt: skip
def test_broken_yaml_is_named_not_thrown(project, text, said):
    (project / "environments" / "dev.yaml").write_text(text)
    assert said in refused(project)


def test_null_removes_only_where_it_means_nothing_itself(project):
    (project / "environments" / "dev.yaml").write_text(
        "dataset:\n  splits:\n    train: null\nfinetune:\n  lora_r: null\n"
    )
    data = load("dev", root=project).data
    assert data["dataset"]["splits"]["train"] is None  # every row of the source
    assert "lora_r" not in data["finetune"]  # which nobody had set
    (project / "environments" / "dev.yaml").write_text("\nazure:\n")
    assert "environments/dev.yaml:2: azure: missing" in refused(project)


@pytest.mark.parametrize("text", ["8", '"8"', "'8'", " 8"])
def test_a_shell_that_takes_quotes_away_does_not_make_text_a_number(project, text):
    assert load("dev", [f"model.version={text}"], project).data["model"]["version"] == "8"


@pytest.mark.parametrize("key", ["endpoint.name", "azure.workspace", "dataset.name", "model.name", "compute.name"])
def test_a_line_break_at_the_end_is_part_of_a_name(project, key):
    assert f'{key}: found "abc\\n"' in refused(project, f'{key}="abc\\n"')


def test_a_union_says_what_its_own_branch_refuses(project):
    assert "dataset.splits.validation: found 0.9, expected at most 0.5" in refused(
        project, "dataset.splits.validation=0.9"
    )
    assert "expected text or a number" in refused(project, "dataset.splits.validation=[]")


@pytest.mark.parametrize(
    "text", ["azure.region=\ud800", "azure.region=a\nb", "azure.region=\x1b[31m", "azure", "=1", "azure..x=1"]
)
def test_set_wants_key_equals_value(project, text):
    sentence = refused(project, text)
    assert "expected key=value" in sentence
    assert sentence.isprintable()


def test_set_is_checked_like_a_file(project):
    assert "--set: finetune.num_train_epoch: unknown key" in refused(project, "finetune.num_train_epoch=1")


def test_an_unknown_environment_is_suggested():
    with pytest.raises(UserError, match="did you mean 'prod'"):
        load("prd")


@pytest.mark.parametrize("name", ["", "../dev", "my env", "a;b", "dev.lock", "-x", "de\nv", "ü", "x" * 17])
def test_an_environment_has_a_plain_name(project, name):
    (project / "environments" / "my env.yaml").write_text("")
    (project / "environments" / ".#dev.yaml").symlink_to("an editor's lock")
    assert environments(project) == ["dev"]
    with pytest.raises(UserError, match="letters, digits, - and _") as caught:
        load(name, root=project)
    assert str(caught.value).isprintable()


def test_a_broken_schema_is_named(project):
    (project / "values.schema.json").write_text("{\n<<<<<<< HEAD\n")
    assert "values.schema.json:2: not valid JSON" in refused(project)


def test_the_schema_and_the_component_agree():
    """Every training parameter of the component is a key under `finetune`, of the same kind; no others are."""
    from scripts.azure.catalog import read_catalog
    from scripts.values.parameters import NOT_PARAMETERS

    schema = json.loads((ROOT / "values.schema.json").read_text())["properties"]["finetune"]["properties"]
    inputs = read_catalog("chat_completion_pipeline.json")["inputs"]
    assert set(schema) == set(inputs) - NOT_PARAMETERS
    for name, spec in inputs.items():
        if name in schema and "enum" in spec:
            allowed = {str(each).lower() for each in schema[name]["enum"]}
            assert allowed == set(spec["enum"]), name
        elif name in schema:
            assert schema[name]["type"] == spec["type"], name


def test_every_key_of_values_yaml_is_commented():
    """A comment sentence stands over each key, or behind it."""
    rows = (ROOT / "values.yaml").read_text().splitlines()
    _, lines = read_yaml(ROOT / "values.yaml")
    for key, line in lines.items():
        assert rows[line - 2].strip().startswith("#") or " # " in rows[line - 1], key


def test_the_workspace_is_quoted_for_the_shell_and_only_the_placeholders_are_refused(project):
    values = load("dev", ["azure.resource_group=team(a)", "azure.workspace=my-workspace-of-ours"], project)
    assert options(values).endswith("--resource-group 'team(a)' --workspace-name my-workspace-of-ours")
    with pytest.raises(UserError, match=r"azure\.subscription_id: still the placeholder"):
        refuse_placeholders(values)
    refuse_placeholders(load("dev", [
        "azure.subscription_id=11111111-0000-0000-0000-000000000000", "azure.resource_group=team-a",
        "azure.workspace=my-workspace-of-ours",
    ], project))  # fmt: skip
    with pytest.raises(UserError, match=r"azure\.workspace: still the placeholder"):
        refuse_placeholders(load("dev", [
            "azure.subscription_id=11111111-0000-0000-0000-000000000000", "azure.resource_group=team-a",
            "azure.workspace=my-workspace-dev",
        ], project))  # fmt: skip


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (
            ["azure.regoin=eastus"],
            "--set: azure.regoin: unknown key (did you mean 'region'?); "
            "allowed: region, resource_group, subscription_id, workspace",
        ),
        (
            ["finetune.learning_rat=1"],
            "--set: finetune.learning_rat: unknown key (did you mean 'learning_rate'?); "
            "values.schema.json lists what is allowed",
        ),
        (
            ["azure.tenant=x"],
            "--set: azure.tenant: unknown key; allowed: region, resource_group, subscription_id, workspace",
        ),
        (
            ["endpoint.auth_mode=keys"],
            '--set: endpoint.auth_mode: found "keys", '
            'expected one of "key", "aml_token", "aad_token" (did you mean \'key\'?)',
        ),
    ],
)
def test_a_fault_is_said_in_full(project, sets, sentence):
    assert refused(project, *sets) == sentence


def test_what_a_pattern_allows_and_what_is_missing_are_said_in_the_schemas_words(project):
    azure = json.loads((ROOT / "values.schema.json").read_text())["properties"]["azure"]["properties"]
    words = azure["region"]["description"].rstrip(".")
    assert refused(project, "azure.region=East US").endswith(f"expected {words[0].lower()}{words[1:]}")
    assert refused(project, "azure.region=null") == f"--set: azure.region: missing; add it ({words})"


def test_every_fault_is_said_in_the_order_of_the_files(project):
    text = "".join(f"# {number}\n" for number in range(8)) + "azure:\n  regoin: x\n  workspac: y\n"
    (project / "environments" / "dev.yaml").write_text(text)
    (project / "values.yaml").write_text((project / "values.yaml").read_text().replace("seed: 42", "sed: 42"))
    places = [line.split(": ")[0] for line in refused(project, "azure.subscription=1").splitlines()]
    assert places[0] == "--set"
    assert places[1:3] == ["environments/dev.yaml:10", "environments/dev.yaml:11"]
    assert places[3].startswith("values.yaml:")


def test_an_unknown_environment_is_told_what_there_is(project):
    with pytest.raises(UserError, match="there are dev; take one") as caught:
        load("stage", root=project)
    assert caught.value.code == MISSING
    with pytest.raises(UserError, match=r"there are dev$") as caught:
        load("a b", root=project)
    assert caught.value.code == USAGE
    (project / "environments" / "dev.yaml").unlink()
    for name in ("stage", "a b"):
        with pytest.raises(UserError, match="there are none"):
            load(name, root=project)


def test_what_the_command_line_sets_has_its_place_with_all_above_it(project):
    values = load("dev", ["new.inner.key=1"], project, check=False)
    assert values.data["new"] == {"inner": {"key": 1}}
    for key in ("new", "new.inner", "new.inner.key", "new.inner.other"):
        assert (values.where(key), values.source(key)) == ("--set", "--set" if not key.endswith("other") else "")
    assert values.where("nobody.wrote.this") == "values.yaml"


def test_a_mapping_on_the_command_line_is_the_place_of_all_in_it():
    given = ["model.finetune_config={mlflow_ft_conf: 5, lora_target_modules: []}", "finetune={seed: 7}"]
    values = load("demo", given, check=False)
    assert values.source("finetune.seed") == "--set"
    assert values.source("finetune.num_train_epochs") != "--set"
    with pytest.raises(UserError) as caught:
        load("demo", given)
    assert sorted(str(caught.value).splitlines()) == [
        "--set: model.finetune_config.lora_target_modules: found [], expected at least 1 item",
        "--set: model.finetune_config.mlflow_ft_conf: found 5, expected a mapping",
    ]
