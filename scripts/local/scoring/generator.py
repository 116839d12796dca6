"""Answers of a model, token by token, for many conversations at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from scripts.conversation import model_folder
from scripts.conversation import tokens as chat
from scripts.conversation.tokenizer import Tokenizer
from scripts.errors import UserError
from scripts.local.engine import threads
from scripts.local.scoring import llama
from scripts.local.scoring.cache import Cache, Part, trim
from scripts.local.scoring.contract import BadRequest, Parameters

CANDIDATES = 256  # usually hold more than top_p of the probability, which spares sorting the whole vocabulary
PROMPT_PART = 512  # tokens of a prompt read at once; in between, the others get their next token
CACHE_MB = 2048  # for the keys and values of all conversations
COLDEST = 1e-30  # temperature, still a number in fp32; from far above it on only the likeliest token has a chance


@dataclass
class Answer:
    """A conversation being answered: the prompt's tokens, and those that came so far."""

    prompt: list[int]
    parameters: Parameters
    limit: int  # most new tokens
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    read: int = 0  # tokens of the prompt in the cache
    reason: str | None = None  # why it ended: stop, length, fault
    fault: Exception | None = None  # what went wrong, in this conversation alone
    random: torch.Generator = field(default_factory=torch.Generator)
    place: int = 0  # in the order of coming

    @property
    def most(self) -> int:
        """The tokens that it may come to."""
        return len(self.prompt) + self.limit

    def fail(self, error: Exception) -> None:
        """Ends it with a fault."""
        self.reason, self.fault = "fault", error


class Generator:
    """A model folder that answers. `add` what `fits`, then `step` until it returns an answer as ended.

    `rows` conversations are answered at a time, if their tokens fit into `cache_mb` megabytes together.
    """

    def __init__(
        self, folder: Path, rows: int, follower: threads.Follower | None = None, cache_mb: float = CACHE_MB
    ) -> None:
        self.model, self.tokenizer = load(folder)
        self.system_role_supported = model_folder.system_role_supported(folder)
        shape = self.model.shape
        self.context = min(shape.context, self.tokenizer.model_max_length or shape.context)
        self.cache = Cache(shape, rows, self.context, cache_mb)
        # No text of so many characters is short enough: what is far too long is refused without being read.
        self.characters = self.context * max(map(len, self.tokenizer.get_vocab()))
        self.added = 0
        self.rows = rows
        self.follower = follower or threads.Follower()
        self.active: list[Answer] = []  # the answer in row i of the cache
        self.ends = self.model.ends | ({self.tokenizer.eos_token_id} - {None})

    def prepare(self, messages: list[dict[str, Any]], parameters: Parameters) -> Answer:
        """Returns the answer to be filled; a `BadRequest` if template or context cannot take the conversation."""
        characters = sum(len(message["content"]) for message in messages)
        if characters > self.characters or len(messages) > self.context:
            raise self._too_long(f"{characters} characters in {len(messages)} messages")
        try:
            prompt = chat.prompt(self.tokenizer, messages, system_role=self.system_role_supported)
        except UserError as error:
            raise BadRequest(f"input_data.input_string: {error}") from None
        except Exception as error:  # jinja2's TemplateError and whatever a template does with what it did not expect
            raise BadRequest(f"input_data.input_string: the chat template refuses it ({error}).") from None
        room = min(self.context, self.cache.room) - len(prompt)
        if room < 1:
            raise self._too_long(f"{len(prompt)} tokens")
        answer = Answer(prompt, parameters, min(parameters.max_new_tokens, room))
        if parameters.seed is None:
            answer.random.seed()
        else:
            answer.random.manual_seed(parameters.seed)
        return answer

    def _too_long(self, found: str) -> BadRequest:
        allowed = f"the model's context is {self.context}"
        if self.cache.room < self.context:
            allowed = f"the memory for conversations (serving.cache_mb in settings.yaml) holds {self.cache.room}"
        return BadRequest(
            f"input_data.input_string: {found}; {allowed} and the answer needs room in it. Shorten the conversation."
        )

    def fits(self, answer: Answer) -> bool:
        """Says whether a row is free, and memory for all that the answer and those in work may come to."""
        taken = sum(other.most for other in self.active)
        return len(self.active) < self.rows and taken + answer.most <= self.cache.tokens

    def add(self, answer: Answer) -> None:
        """Gives an answer a row; it must fit."""
        self.added += 1
        answer.place = self.added
        self.active.append(answer)

    @torch.inference_mode()
    def drop(self, answer: Answer) -> None:
        """Frees an answer's row; the last row takes its place."""
        row = next(at for at, other in enumerate(self.active) if other is answer)
        last = len(self.active) - 1
        if row != last:
            self.cache.move(last, row)
            self.active[row] = self.active[last]
        self.active.pop()
        self.cache.free(last)
        if len(answer.prompt) > PROMPT_PART:
            trim()

    def clear(self) -> None:
        """Frees every row."""
        for row in range(len(self.active)):
            self.cache.free(row)
        self.active.clear()

    @torch.inference_mode()
    def step(self) -> list[Answer]:
        """Reads a part of a prompt, then gives every answer whose prompt is read a token; returns those ended.

        The prompt that came first is read first. What goes wrong in one conversation ends that one, with its `fault`.
        """
        self.follower.adjust()
        unread = [at for at, answer in enumerate(self.active) if answer.read < len(answer.prompt)]
        if unread:
            self._read_prompt(min(unread, key=lambda at: self.active[at].place))
        self._next_tokens()
        ended = [answer for answer in self.active if answer.reason]
        for answer in ended:
            self.drop(answer)
        return ended

    def _read_prompt(self, row: int) -> None:
        """Reads the next part; the last one gives the first token."""
        answer = self.active[row]
        ids = answer.prompt[answer.read : answer.read + PROMPT_PART]
        try:
            logits = self._forward(row, 1, torch.tensor([ids], device=self.model.shape.device))
        except Exception as error:  # whatever it is, the others go on
            answer.fail(error)
            return
        answer.read += len(ids)
        if answer.read == len(answer.prompt):
            self._take(answer, logits[0])

    def _next_tokens(self) -> None:
        """One forward pass for all answers that have a token to continue from; those lie in the first rows."""
        ready = [at for at, answer in enumerate(self.active) if answer.tokens and not answer.reason]
        if not ready:
            return
        # A prompt being read is in a later row than every ready one, but for moves by drop: cut at the first unready.
        count = next(
            (at for at, answer in enumerate(self.active) if not answer.tokens or answer.reason), len(self.active)
        )
        for first, rows in ((0, count), *((at, 1) for at in ready if at >= count)):
            if rows:
                self._continue(first, rows)

    def _continue(self, first: int, rows: int) -> None:
        answers = self.active[first : first + rows]
        ids = torch.tensor([[answer.tokens[-1]] for answer in answers], device=self.model.shape.device)
        try:
            logits = self._forward(first, rows, ids)
        except Exception as error:
            if rows == 1:
                answers[0].fail(error)
                return
            for row in range(first, first + rows):  # one of them is to blame: each alone
                self._continue(row, 1)
            return
        for answer, row in zip(answers, logits, strict=True):
            self._take(answer, row)

    def _forward(self, first: int, rows: int, ids: torch.Tensor) -> torch.Tensor:
        """Runs tokens [rows, n] that follow what the cache has, and returns the logits of the last ones in fp32."""
        tokens = ids.shape[1]
        part = Part(self.cache, first, rows, tokens)
        logits = self.model.logits(ids, part)
        for row in range(first, first + rows):
            self.cache.lengths[row] += tokens
        return logits.float()

    def _take(self, answer: Answer, logits: torch.Tensor) -> None:
        try:
            self._append(answer, logits)
        except Exception as error:  # of sampling or decoding
            answer.fail(error)

    def _append(self, answer: Answer, logits: torch.Tensor) -> None:
        token = choose(logits, answer.parameters, answer.random)
        if token in self.ends:
            answer.reason = "stop"
            answer.text = self.tokenizer.decode(answer.tokens, skip_special_tokens=True)
            return
        answer.tokens.append(token)
        if answer.parameters.stop or answer.parameters.stream or len(answer.tokens) >= answer.limit:
            answer.text = self.tokenizer.decode(answer.tokens, skip_special_tokens=True)
        stops = [at for stop in answer.parameters.stop if (at := answer.text.find(stop)) >= 0]
        if stops:
            answer.text, answer.reason = answer.text[: min(stops)], "stop"
        elif len(answer.tokens) >= answer.limit:
            answer.reason = "length"


def choose(logits: torch.Tensor, parameters: Parameters, generator: torch.Generator) -> int:
    """Returns the next token for one row of logits [vocabulary] in fp32: greedy, or by temperature, top_k and top_p."""
    if not parameters.do_sample or parameters.temperature == 0:
        return int(logits.argmax())
    # From the likeliest down, so that the quotients of the coldest temperature are 0 and below, never infinity alone.
    chances = torch.softmax((logits - logits.max()) / max(parameters.temperature, COLDEST), -1)
    count = min(parameters.top_k or CANDIDATES, len(chances))
    best, tokens = torch.topk(chances, count)
    if parameters.top_k:
        best = best / best.sum()
    elif best.sum() < parameters.top_p:
        best, tokens = torch.sort(chances, descending=True)
    # A token stays while those before it have less than top_p together; the first always, however small top_p is.
    stays = best.cumsum(-1) - best < parameters.top_p
    stays[0] = True
    best = best * stays
    return int(tokens[torch.multinomial(best, 1, generator=generator)])


def load(folder: Path) -> tuple[Any, Any]:
    """Loads model and tokenizer of an MLflow model folder, without transformers where both can be had without it."""
    weights = weights_of(folder)
    own = llama.takes(folder)
    if own:
        tokenizer: Any = Tokenizer(weights)
    else:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(weights)
    if not tokenizer.chat_template:
        raise UserError(
            f"{weights}: the tokenizer has no chat template, so a conversation cannot be turned into tokens."
        )
    if own:
        model = llama.Llama(weights)
        trim()  # of what reading took
        return model, tokenizer
    from scripts.local.scoring.transformed import Transformed

    return Transformed(weights, folder), tokenizer


def weights_of(folder: Path) -> Path:
    """Returns the folder with weights and tokenizer in an MLflow model's folder; a `UserError` without one."""
    weights = model_folder.weights(folder)
    if weights is None:
        raise UserError(f"{folder}: no model/config.json, so this MLflow model holds no chat model of transformers.")
    if not (weights / "tokenizer_config.json").exists():
        raise UserError(f"{weights}: no tokenizer_config.json; the tokenizer was not saved with the model.")
    return weights
