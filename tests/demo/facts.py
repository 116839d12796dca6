"""What a placeholder in the demo's conversations stands for: a fact of the catalog, as text for a sentence.

<<size.Standard_NC24ads_A100_v4.vcpus>>        a field of sizes.json; also retired, total_gpu_memory_gb,
                                               cores.N (N nodes), endpoint_cores.N (N instances, with the reserve)
<<model.Phi-4.version>>                        a field of chat_models.json; also finetune_retired,
                                               inference_retired, finetune_min.gpus, defaults.learning_rate
<<input.precision.default>>                    default, type, min or enum of an input of the component
<<component.version>>                          a field of chat_completion_pipeline.json
<<lora.default_scale>>                         alpha divided by r, of the component's defaults
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.azure import machine_sizes
from scripts.azure.catalog import read_catalog
from scripts.errors import UserError, suggest

SPEC = ("vcpus", "gpus", "memory_gb", "disk_gb")  # the order in a model's "24|1|220|64"


@dataclass
class Facts:
    """The catalog by kind and name, each name with the fields that a placeholder may ask for."""

    kinds: dict[str, dict[str, dict[str, Any]]]

    @classmethod
    def load(cls) -> Facts:
        """Reads the three catalog files."""
        sizes = read_catalog("sizes.json")["sizes"]
        models = read_catalog("chat_models.json")["models"]
        component = read_catalog("chat_completion_pipeline.json")
        return cls(
            {
                "size": {each["name"]: _size(each) for each in sizes},
                "model": {each["name"]: _model(each) for each in models},
                "input": component["inputs"],
                "lora": {"default_scale": {"": _lora_scale(component["inputs"])}},
                "component": {key: {"": value} for key, value in component.items() if isinstance(value, str)},
            }
        )

    def fill(self, placeholder: str) -> str:
        """Returns the text for `kind.name.field`; a `UserError` says what is unknown in it."""
        kind, _, rest = placeholder.partition(".")
        if kind not in self.kinds:
            raise UserError(f"there is no kind '{kind}'{suggest(kind, self.kinds)}")
        names = self.kinds[kind]
        # A model's name has dots in it, so the longest name that fits is the one that is meant.
        name = max((each for each in names if f"{rest}.".startswith(f"{each}.")), key=len, default=None)
        if name is None:
            raise UserError(f"there is no {kind} '{rest}'{suggest(rest.rpartition('.')[0] or rest, names)}")
        field = rest[len(name) + 1 :]
        fields = names[name]
        if field in fields:
            return _text(fields[field])
        counted, _, number = field.rpartition(".")
        if number.isdigit() and callable(fields.get(counted)):
            return _text(fields[counted](int(number)))
        raise UserError(f"the {kind} '{name}' has no field '{field}'{suggest(field, fields)}")


def _text(value: object) -> str:
    """Returns a fact as it stands in a sentence: lists with commas and a final 'and'."""
    if isinstance(value, list):
        words = [str(each) for each in value]
        return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
    if isinstance(value, float) and "e" in str(value):
        mantissa, exponent = str(value).split("e")
        return f"{mantissa}e{int(exponent)}"  # 2e-5, as the models' own defaults write it, not Python's 2e-05
    return str(value)


def _lora_scale(inputs: Mapping[str, Any]) -> str:
    return f"{inputs['lora_alpha']['default'] / inputs['lora_r']['default']:g}"


def _size(size: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(size)
    fields["total_gpu_memory_gb"] = size["gpus_per_node"] * size["gpu_memory_gb"]
    fields["cores"] = lambda nodes: nodes * size["vcpus"]
    if size["status"].startswith("retired "):
        fields["retired"] = size["status"].removeprefix("retired ")
    if size["online_endpoint"]:
        fields["endpoint_cores"] = machine_sizes.read(size).serving_cores
    return fields


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(model)
    for kind in ("finetune", "inference"):
        spec = model[f"{kind}_min_sku_spec"].split("|")
        fields |= {f"{kind}_min.{key}": value for key, value in zip(SPEC, spec, strict=True)}
        if model["deprecation"]:
            fields[f"{kind}_deprecated"] = model["deprecation"][f"{kind}DeprecationDate"][:10]
            fields[f"{kind}_retired"] = model["deprecation"][f"{kind}RetirementDate"][:10]
    return fields | {f"defaults.{key}": value for key, value in model["model_specific_defaults"].items()}
