"""Names: every name that the templates, the Makefile and the scripts use, made once and within Azure's limits."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from scripts.azure import name_rules
from scripts.azure.lock_file import Promoted
from scripts.azure.references import registry_asset
from scripts.errors import UserError
from scripts.values.facts import Facts
from scripts.values.parameters import Parameter
from scripts.values.read import Values

# Tags that templates, the chain (scripts/chain/tags.py) and promote write themselves, in small letters: Azure tells no
# capital ones from them.
OWN_TAGS = frozenset(
    "environment ttl_hours base_model base_model_version dataset source percent job promoted evaluation_data "
    "perplexity_base perplexity_tuned rouge_l_base rouge_l_tuned json_valid_base json_valid_tuned json_exact_base "
    "json_exact_tuned commit tree values lock yaml data by files seal sha256 previous_model rollback".split()
)
ENVIRONMENT_TAG = "environment"  # of what the YAML makes: the environment's name
RESERVED_TAGS = ("microsoft", "azure", "windows")  # what a tag's name may not begin with: Azure Resource Manager
SECOND = "-2"  # behind a deployment's name: its other slot, in which the next one is made while this one answers
SUFFIX_LENGTH = 8  # hexadecimal digits: enough that endpoints of one region do not collide


@dataclass(frozen=True)
class Names:
    """The names of one environment; see `build` for where each comes from."""

    experiment: str
    display: str
    base_model: str
    component: str
    model: str
    model_description: str
    data: str
    cluster: str
    endpoint: str
    endpoint_description: str
    deployment: str
    tags: dict[str, str]


def slots(deployment: str) -> tuple[str, str]:
    """Returns the names between which a deployment goes to and fro: a new one is made beside the one that answers."""
    return deployment, f"{deployment}{SECOND}"


def build(values: Values, facts: Facts, parameters: dict[str, Parameter]) -> Names:
    """Makes the names from the values, as the reference notebook does, except that no name depends on the clock."""
    data = values.data
    base, dataset = data["model"]["name"], data["dataset"]
    # A registry's names have dots (Phi-3.5-mini-instruct), a workspace's must not; a tag keeps the original.
    model, experiment = (
        re.sub(r"[^A-Za-z0-9_-]", "-", name) for name in (f"{base}-{dataset['name']}", f"chat_completion_{base}")
    )
    for what, name in (("model", model), ("experiment", experiment)):
        longest = name_rules.rule(what).most
        if len(name) > longest:
            raise UserError(
                f"{values.where('model.name')}: model.name: makes {what} name '{name[:20]}…' of {len(name)} "
                f"characters, allowed are {longest}; shorten model.name" + " or dataset.name" * (what == "model")
            )
    registry = data["model"]["registry"]
    return Names(
        experiment=experiment,
        display=display_name(base, dataset["label"], parameters),
        base_model=registry_asset(registry, "models", base, facts.model.version),
        component=registry_asset(registry, "components", facts.component.name, facts.component.version),
        model=model,
        model_description=f"{base} fine tuned model for {dataset['name'].replace('-', ' ')} chat-completion",
        data=dataset["name"],
        cluster=data["compute"]["name"],
        endpoint=endpoint_name(values),
        endpoint_description=f"Online endpoint for {model}, fine tuned model for {dataset['name']}-chat-completion",
        deployment=data["deployment"]["name"],
        tags=tags(values),
    )


def promoted(facts: Facts, names: Names) -> Promoted | None:
    """Returns the version of these values' own tuned model that was let through, as the lock has it."""
    return facts.promoted if facts.promoted and facts.promoted.model == names.model else None


def tags(values: Values) -> dict[str, str]:
    """Returns the user's tags; a `UserError` for one that this project writes itself, or that Azure keeps to itself."""
    given: dict[str, str] = values.data.get("tags") or {}
    seen: dict[str, str] = {}
    for name in given:
        at, small = f"{values.where(f'tags.{name}')}: tags.{name}", name.lower()
        if small in OWN_TAGS:
            raise UserError(f"{at}: this project writes the tag {small} itself; take another name")
        if small.startswith(RESERVED_TAGS):
            raise UserError(f"{at}: Azure keeps what begins with {', '.join(RESERVED_TAGS)} to itself; take another")
        if small in seen:
            raise UserError(f"{at}: is the same to Azure as tags.{seen[small]}; keep one of them")
        seen[small] = name
    return given


def endpoint_name(values: Values) -> str:
    """Returns the endpoint's name, which has to be the only one of its kind in the region.

    Its last digits are always the same for a workspace and environment.
    """
    azure = values.data["azure"]
    parts = (azure["subscription_id"], azure["resource_group"], azure["workspace"], values.environment)
    suffix = hashlib.sha256("/".join(parts).lower().encode()).hexdigest()[:SUFFIX_LENGTH]
    return f"{values.data['endpoint']['name']}-{suffix}"


def endpoint_id(values: Values) -> str:
    """Returns the endpoint's id in Azure Resource Manager."""
    azure = values.data["azure"]
    return (
        f"/subscriptions/{azure['subscription_id']}/resourceGroups/{azure['resource_group']}/providers/"
        f"Microsoft.MachineLearningServices/workspaces/{azure['workspace']}/onlineEndpoints/{endpoint_name(values)}"
    )


def display_name(model: str, dataset: str, parameters: dict[str, Parameter]) -> str:
    """Returns the job's display name, as the reference notebook's `get_pipeline_display_name` makes it."""

    def value(name: str) -> str:
        return str(parameters[name].value)

    batch = (
        int(value("per_device_train_batch_size"))
        * int(value("gradient_accumulation_steps"))
        * int(value("number_of_gpu_to_use_finetuning"))
        * int(value("num_nodes_finetune"))
    )
    deepspeed = f"ds{value('deepspeed_stage')}" if value("apply_deepspeed") == "true" else "nods"
    lora = "lora" if value("apply_lora") == "true" else "nolora"
    return (
        f"{model}-{dataset}-bs{batch}-{value('lr_scheduler_type')}-{deepspeed}-{lora}"
        f"-save_limit{value('save_total_limit')}-seqlen{value('max_seq_length')}"
    )
