"""The demo's conversations: fresh, well formed, without twins, true to the catalog and to the project's own words."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from scripts.azure.catalog import FOLDER as CATALOG
from scripts.errors import FAILED, UserError
from tests.demo import build
from tests.demo.facts import Facts

# A conversation may share a command with another (`az ml job show -n NAME --query status -o tsv` is ten words long, so
# it alone makes three shared 8-grams), but not a sentence of prose. A reworded twin shares a third and more of its
# 8-grams with its original; the most that two conversations share here is one twentieth, all of it commands.
LONGEST_SHARE = 0.10

# Words with underscores that stand in backticks and are no inputs of the component: keys of Azure ML's YAML and of a
# request, outputs, and two mistakes that a conversation is about (vm_size, lora_rank).
OTHER_WORDS = set(
    """auth_mode chat_completion chat_completion_pipeline chat_special_tokens code_configuration
    continue_on_step_failure do_sample failure_threshold force_rerun idle_time_before_scale_down im_start initial_delay
    input_data instance_count instance_type instruction_template lora_rank lora_target_modules low_priority
    max_concurrent_requests_per_instance max_instances max_new_tokens min_instances mlflow_model mlflow_model_folder
    prompt_id provisioning_state public_network_access request_timeout_ms response_template scale_settings scoring_uri
    success_threshold system_role_supported top_p trained_model vm_size""".split()
)


@pytest.fixture(scope="module")
def splits() -> dict[str, list[dict]]:
    """The committed rows of every split."""
    return {
        name: [json.loads(line) for line in (build.HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        for name in build.SPLITS
    }


@pytest.fixture(scope="module")
def rows(splits: dict[str, list[dict]]) -> list[dict]:
    """The committed rows of all splits together."""
    return [row for members in splits.values() for row in members]


def contents(row: dict, *roles: str) -> list[str]:
    """Returns what was said by `roles` (by anybody, if none is named)."""
    return [each["content"] for each in row["messages"] if not roles or each["role"] in roles]


def words(text: str) -> list[str]:
    """Returns the words of a text in lower case, without the punctuation around them."""
    return re.findall(r"[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?", text.lower())


def grams(row: dict, length: int = 8) -> set[tuple[str, ...]]:
    """Returns the runs of `length` words in what user and assistant say."""
    found = set()
    for text in contents(row, "user", "assistant"):
        said = words(text)
        found |= {tuple(said[start : start + length]) for start in range(len(said) - length + 1)}
    return found


def test_committed_files_are_what_the_sources_make() -> None:
    assert build.check(build.build()) == "", "stale: run python -m tests.demo.build"


def test_sizes_of_the_splits(splits: dict[str, list[dict]]) -> None:
    count = {name: len(members) for name, members in splits.items()}
    total = sum(count.values())
    assert total >= 260
    assert count["train_sft"] >= 200
    assert 0.75 <= count["train_sft"] / total <= 0.88
    assert 0.10 <= count["test_sft"] / total <= 0.15
    assert min(count.values()) >= 10


def test_every_topic_is_trained_and_held_out() -> None:
    splits = build.split(build.read())
    topics = {path.stem for path in build.TOPICS.glob("*.txt")}
    for members in splits.values():
        assert {each.topic for each in members} == topics


def test_rows_follow_the_schema_and_the_components_rules(rows: list[dict]) -> None:
    for row in rows:
        assert set(row) == {"prompt", "prompt_id", "messages"}
        assert row["prompt"] == contents(row, "user")[0]
        assert row["prompt_id"] == hashlib.sha256(row["prompt"].encode()).hexdigest()
        roles = [each["role"] for each in row["messages"]]
        turns = roles[1:] if roles[0] == "system" else roles
        assert turns == ["user", "assistant"] * (len(turns) // 2)
        assert 2 <= len(turns) // 2 <= 4
        for message in row["messages"]:
            assert set(message) == {"content", "role"}
            assert message["content"] == message["content"].strip() != ""


def test_few_conversations_have_a_system_message(rows: list[dict]) -> None:
    with_system = sum(row["messages"][0]["role"] == "system" for row in rows)
    assert 0 < with_system <= 0.05 * len(rows)


def test_answers_are_concise(rows: list[dict]) -> None:
    for row in rows:
        for answer in contents(row, "assistant"):
            assert 20 <= len(answer.split()) <= 90, answer


def test_no_question_and_no_answer_is_repeated(rows: list[dict]) -> None:
    said = Counter(" ".join(words(text)) for row in rows for text in contents(row, "user", "assistant"))
    assert [text for text, times in said.items() if times > 1] == []


def test_no_held_out_conversation_has_a_twin_in_training(splits: dict[str, list[dict]]) -> None:
    training = [grams(row) for name in ("train_sft", "train_gen") for row in splits[name]]
    for name in ("test_sft", "test_gen"):
        for row in splits[name]:
            held_out = grams(row)
            most = max(training, key=lambda other: len(held_out & other))
            share = len(held_out & most) / len(held_out)
            assert share <= LONGEST_SHARE, f"{row['prompt']}: {share:.0%} is also in training: {held_out & most}"


def test_twins_are_found() -> None:
    """The measure above would see a reworded twin: of fifteen words one is replaced."""
    row = json.loads((build.HERE / "test_sft.jsonl").read_text(encoding="utf-8").splitlines()[0])
    twin = json.loads(json.dumps(row))
    for message in twin["messages"]:
        said = message["content"].split()
        message["content"] = " ".join("other" if place % 15 == 14 else word for place, word in enumerate(said))
    assert len(grams(row) & grams(twin)) / len(grams(row)) > 3 * LONGEST_SHARE


def test_sizes_exist_in_the_catalog(rows: list[dict]) -> None:
    facts = Facts.load()
    known = set(facts.kinds["size"]) | {
        str(each["default"])
        for each in facts.kinds["input"].values()
        if str(each.get("default")).startswith("Standard_")
    }
    named = {name for row in rows for text in contents(row) for name in re.findall(r"Standard_\w+", text)}
    assert len(named) >= 20
    assert named - known == set()


def test_words_in_backticks_are_inputs_or_known(rows: list[dict]) -> None:
    inputs = Facts.load().kinds["input"]
    quoted = [code for row in rows for text in contents(row, "assistant") for code in re.findall(r"`([^`]*)`", text)]
    words = {word for code in quoted for word in re.findall(r"(?<![\w./-])[a-z]+(?:_[a-z0-9]+)+(?![\w/-])", code)}
    assert len(words & set(inputs)) >= 40
    assert words - set(inputs) - OTHER_WORDS == set()
    assert OTHER_WORDS - words == set(), "no longer used: remove it from OTHER_WORDS"


def test_versions_of_models_are_the_catalogs(rows: list[dict]) -> None:
    versions = {
        each["name"]: each["version"] for each in json.loads((CATALOG / "chat_models.json").read_text())["models"]
    }
    named = re.compile(rf"({'|'.join(map(re.escape, versions))})(?:/versions/| version | --version )(\d+)")
    found = [match for row in rows for text in contents(row, "assistant") for match in named.findall(text)]
    assert len(found) >= 5
    assert [(name, version) for name, version in found if versions[name] != version] == []


@pytest.mark.parametrize(
    ("placeholder", "text"),
    [
        ("size.Standard_NC96ads_A100_v4.gpus_per_node", "4"),
        ("size.Standard_ND96asr_v4.total_gpu_memory_gb", "320"),
        ("size.Standard_NC24rs_v3.retired", "2025-09-30"),
        ("size.Standard_NC80adis_H100_v5.cores.3", "240"),
        # The reserve of 20 percent is rounded up to whole instances: 1 -> 2, 4 -> 5, 5 -> 6; A100 sizes are exempt.
        ("size.Standard_NC4as_T4_v3.endpoint_cores.1", "8"),
        ("size.Standard_NC4as_T4_v3.endpoint_cores.4", "20"),
        ("size.Standard_NC4as_T4_v3.endpoint_cores.5", "24"),
        ("size.Standard_NC48ads_A100_v4.endpoint_cores.2", "96"),
        ("model.Phi-3.5-mini-instruct.version", "6"),
        ("model.Phi-3-mini-4k-instruct.finetune_retired", "2025-08-30"),
        ("model.Phi-4.finetune_min.memory_gb", "220"),
        ("model.Phi-4.defaults.learning_rate", "5e-6"),
        ("model.Phi-3.5-MoE-instruct.finetune_computes", "Standard_NC96ads_A100_v4 and Standard_ND96amsr_A100_v4"),
        ("input.learning_rate.default", "2e-5"),
        ("input.optim.enum", "adamw_torch and adafactor"),
        ("component.version", "0.0.82"),
        ("lora.default_scale", "16"),
    ],
)
def test_placeholders(placeholder: str, text: str) -> None:
    assert Facts.load().fill(placeholder) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "user: Hi\nassistant: It is <<size.Standard_NC4as_T4_v4.vcpus>>.",
            "t.txt:2: .*no size .*Standard_NC4as_T4_v3",
        ),
        ("user: Hi\nassistant: It is <<size.Standard_NC4as_T4_v3.gpus>>.", "t.txt:2: .*has no field 'gpus'"),
        ("user: Hi\nassistant: It is <<sizes.Standard_NC4as_T4_v3.vcpus>>.", "t.txt:2: .*no kind 'sizes'.*'size'"),
        ("# a comment\n\nuser: Hi\nbot: Hello", "t.txt:4: found 'bot: Hello'"),
        ("user: Hi\nassistant: Hello\nuser: Bye", "t.txt:1: the roles are user, assistant, user"),
        ("user: Hi\nassistant: Hello\n\nuser: Hi\nassistant: Good day", "t.txt:4: the same first question .*t.txt:1"),
    ],
)
def test_mistakes_in_a_source_are_named_with_their_line(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(UserError, match=sentence):
        build.read(tmp_path)


def test_lines_of_a_turn(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("user: Show\n    me\nassistant: Here:\n  | a:\n  |   b: 1\n  Next: go\n    on.\n")
    (conversation,) = build.read(tmp_path)
    assert contents(conversation.row()) == ["Show me", "Here:\na:\n  b: 1\nNext: go on."]


def test_check_fails_with_the_difference(monkeypatch, tmp_path: Path, capsys) -> None:
    assert build.run(["--check"]) == 0
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(build, "HERE", tmp_path)
    assert build.run([]) == 0
    (tmp_path / "test_gen.jsonl").write_text('{"prompt": "old"}\n')
    monkeypatch.setattr(build.check, "__defaults__", (tmp_path,))
    capsys.readouterr()
    assert build.run(["--check"]) == FAILED
    assert '-{"prompt": "old"}' in capsys.readouterr().out
