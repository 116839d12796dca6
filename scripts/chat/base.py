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
from scripts.errors import UserError, one_line
from scripts.values.read import Values

if TYPE_CHECKING:
    import httpx

    from scripts.evaluate.loaded_model import Model


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
    return Base(
        "its weights, loaded on this machine when it is first asked; the likeliest answer",
        ask=Loaded(values, client, served).ask,
    )


class Loaded:
    """The base model's weights, loaded when it is first asked; it answers one question at a time."""

    def __init__(self, values: Values, client: Any, served: str) -> None:
        self.values, self.client, self.served = values, client, served
        self.lock = threading.Lock()
        self.model: Any = None

    def ask(self, messages: list[dict[str, Any]], parameters: dict[str, Any]) -> Iterator[str]:
        """Yields the likeliest answer as it comes: of the parameters only max_new_tokens matters to it.

        Whoever stops listening stops it.
        """
        most = int(parameters.get("max_new_tokens", self.values.data["request"]["max_new_tokens"]))
        with self.lock:
            self.model = self.model or self._load()
            yield from _pieces(self.model, messages, most)

    def _load(self) -> Any:
        from scripts.conversation import model_folder
        from scripts.evaluate import model_files, model_version
        from scripts.evaluate.loaded_model import Model

        found = model_version.served(self.client, self.served)
        tuned = model_files.tuned(self.client, found.name, found.version, found.folder)
        base = model_files.base(self.values, tuned.folder, found.folder)
        try:
            model = Model(base.folder, model_folder.system_role_supported(tuned.folder))
        except (OSError, RuntimeError, MemoryError) as error:  # of reading and holding weights
            raise UserError(f"the base model's weights in {base.folder} cannot be loaded: {one_line(error)}") from None
        model.model.set_attn_implementation("sdpa")  # that of training knows no cache
        return model


def _pieces(model: Model, messages: list[dict[str, Any]], most: int) -> Iterator[str]:
    """Yields an answer as the model writes it, in a thread that ends with this generator."""
    import torch
    from transformers import TextIteratorStreamer

    prompt = model.prompt(Case("chat", messages, ""))[-max(1, model.length - most) :]
    streamer = TextIteratorStreamer(model.tokenizer, skip_prompt=True, skip_special_tokens=True)
    gone, failures = threading.Event(), list[Exception]()

    def stops(ids: Any, scores: Any, **_: Any) -> Any:
        model.threads.adjust()  # the deployment may answer on the same processors
        return torch.full((len(ids),), gone.is_set(), dtype=torch.bool, device=ids.device)

    def write() -> None:
        try:
            with torch.inference_mode():
                model.model.generate(
                    input_ids=torch.tensor([prompt], device=model.model.device), max_new_tokens=most,
                    attention_mask=torch.ones(1, len(prompt), dtype=torch.long, device=model.model.device),
                    do_sample=False, use_cache=True, pad_token_id=model.tokenizer.pad_token_id or 0,
                    streamer=streamer, stopping_criteria=[stops],
                )  # fmt: skip
        except Exception as error:
            failures.append(error)
            streamer.end()

    thread = threading.Thread(target=write, name="base model", daemon=True)
    thread.start()
    try:
        yield from streamer
    finally:
        gone.set()
        thread.join()
    if failures:
        raise UserError(f"the base model failed: {one_line(failures[0])}")
