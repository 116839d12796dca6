"""The base model, to be asked beside the tuned one: at an endpoint that serves it, or from its weights on this machine.

Nothing is loaded before somebody asks it; then its weights are found as `make evaluate` finds them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.conversation import endpoint as endpoint_module
from scripts.conversation.held_out import Case
from scripts.errors import UserError
from scripts.values.read import Values

if TYPE_CHECKING:
    import httpx


@dataclass
class Base:
    """Answers as the base model does; `how` says from where, or why it cannot be asked (`can` is false then)."""

    how: str
    can: bool = True
    ask: Any = field(default=lambda *_: iter(()), repr=False)


def find(values: Values, client: Any, served: str, http: httpx.Client) -> Base:
    """Returns the base of the model `name:version` that the endpoint serves."""
    settings = values.data["evaluation"]
    if name := settings.get("base_endpoint"):
        endpoint = endpoint_module.find(client, name)
        if endpoint is None:
            return Base(f"endpoint {name} (evaluation.base_endpoint) has no deployment with traffic", can=False)
        return Base(f"{endpoint.model} at {name}", ask=lambda messages, given: endpoint.pieces(messages, given, http))
    if not settings["weights"]:
        return Base(
            "the base model can be asked where evaluation.base_endpoint names an endpoint that serves it, or "
            "evaluation.weights is true",
            can=False,
        )
    return Base("its weights, on this machine; the likeliest answer", ask=Loaded(values, client, served).ask)


class Loaded:
    """The base model's weights, loaded when it is first asked; it answers one question at a time."""

    def __init__(self, values: Values, client: Any, served: str) -> None:
        self.values, self.client, self.served = values, client, served
        self.lock = threading.Lock()
        self.model: Any = None

    def ask(self, messages: list[dict[str, Any]], parameters: dict[str, Any]) -> Iterator[str]:
        """Yields the likeliest answer, whole: of the parameters only max_new_tokens matters to it."""
        with self.lock:
            self.model = self.model or self._load()
            most = int(parameters.get("max_new_tokens", self.values.data["request"]["max_new_tokens"]))
            yield self.model.answers([Case("chat", messages, "")], most)[0]

    def _load(self) -> Any:
        from scripts.conversation import model_folder
        from scripts.evaluate import model_files, model_version
        from scripts.evaluate.loaded_model import Model

        found = model_version.served(self.client, self.served)
        tuned = model_files.tuned(self.client, found.name, found.version, found.folder)
        base = model_files.base(self.values, tuned.folder, found.folder)
        try:
            return Model(base.folder, model_folder.system_role_supported(tuned.folder))
        except (OSError, RuntimeError, MemoryError) as error:  # of reading and holding weights
            raise UserError(f"the base model's weights in {base.folder} cannot be loaded: {error}") from None
