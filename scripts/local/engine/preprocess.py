"""Step 3, chat_completion_datapreprocess: files to token ids, by the component's data rules.

Rules of azureml-assets' chat_completion/preprocess, kept here: the column `messages` (and `tools`) counts, the others
are dropped; rows without at least two messages are dropped; at least ten must be left to train; a row that the template
refuses fails the job; conversations are cut at the end, not split; only answers are trained; splits are slices of the
file in its order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.azure.component import SPLITS
from scripts.azure.component_rules import FEWEST_ROWS
from scripts.conversation import tokens as chat
from scripts.conversation.tokens import Encoded
from scripts.errors import UserError
from scripts.local.engine import rows
from scripts.local.engine.job_folder import Job
from scripts.local.engine.model_import import BaseModel

CAPPED_EVALUATION_TOKENS = 8192  # held-out tokens that a capped run evaluates

Row = tuple[str, dict[str, Any]]


@dataclass
class Data:
    """What is trained and evaluated on; `files` has the SHA-256 of every file read, by input name."""

    train: list[Encoded]
    validation: list[Encoded]
    files: dict[str, str]
    counts: dict[str, int] = field(default_factory=dict)
    unreached: int = 0  # training rows that a cap of the emulator's settings left out


def run(job: Job, values: dict[str, Any], base: BaseModel, tokenizer: Any) -> Data:
    """Returns the encoded training and validation conversations, and logs how many rows and tokens there are."""
    paths = {
        split: Path(path)
        for split in SPLITS
        if (path := values[f"{split}_mltable_path"] or values[f"{split}_file_path"])
    }
    kept = {split: _read(job, split, path) for split, path in paths.items() if split != "test" or len(paths) < 3}
    if len(kept["train"]) < FEWEST_ROWS:
        raise UserError(
            f"inputs.train_file_path: {len(kept['train'])} row(s) left after dropping invalid ones; the component "
            f"needs at least {FEWEST_ROWS} to train."
        )
    train, validation, words = split_rows(kept["train"], kept.get("validation"), with_test="test" in paths)
    job.log(f"splits: {words}")
    whole = len(train)
    train = _reached(job, values, train)

    limit = tokenizer.model_max_length
    length = min(values["max_seq_length"], limit) if values["max_seq_length"] > 0 else limit
    caps = (job.settings.max_tokens, CAPPED_EVALUATION_TOKENS if _capped(job) else None)
    encoded = [
        _encode_split(job, name, part, tokenizer, base, length, most)
        for name, part, most in zip(("train", "validation"), (train, validation), caps, strict=True)
    ]
    _check_special_tokens(base, tokenizer, train)
    files = {split: _sha256(path) for split, path in paths.items()}
    data = Data(encoded[0][0], encoded[1][0], files, unreached=whole - encoded[0][1])
    for name, part in (("train", data.train), ("validation", data.validation)):
        data.counts[f"{name}_rows"] = len(part)
        data.counts[f"{name}_tokens"] = sum(len(row.ids) for row in part)
        data.counts[f"{name}_assistant_tokens"] = sum(sum(row.trained) for row in part)
    if not data.counts["train_assistant_tokens"]:
        raise UserError(
            "Unable to continue finetuning. No assistant tokens found in the training rows after cutting them at "
            f"{length} tokens; increase max_seq_length."
        )
    return data


def split_rows(train: list[Row], validation: list[Row] | None, with_test: bool) -> tuple[list[Row], list[Row], str]:
    """Returns the rows to train and to validate with, and words for it: slices of the file, as in the component."""
    eighty, ninety = int(len(train) * 0.8), int(len(train) * 0.9)
    if validation is None and not with_test:
        return (
            train[:eighty],
            train[eighty:ninety],
            "only a training file: its first 80 % train, 10 % validate, 10 % test",
        )
    if validation is None:
        return train[:eighty], train[eighty:], "no validation file: 80 % of the training file train, 20 % validate"
    if not with_test:
        return train[:eighty], validation, "no test file: 80 % of the training file train, 20 % are put aside as test"
    return train, validation, "100 % of each file"


def _read(job: Job, split: str, path: Path) -> list[Row]:
    """Reads a file and drops the rows that the component drops, saying how many and where the first one stands."""
    kept: list[Row] = []
    dropped: list[str] = []
    seen = False
    for where, row in rows.read(path):
        seen = seen or "messages" in row
        messages = row.get("messages")
        if not isinstance(messages, list) or len(messages) <= 1:
            dropped.append(where)
            continue
        if not all(isinstance(message, dict) for message in messages):
            raise UserError(
                f'{where}: messages: every message must be an object such as {{"role": ..., "content": ...}}.'
            )
        clean = [{key: value for key, value in message.items() if value is not None} for message in messages]
        kept.append((where, {"messages": clean, "tools": row.get("tools") or None}))
    if not seen:
        raise UserError(f'{path.name}: no column \'messages\'; a row is {{"messages": [{{"role", "content"}}, ...]}}.')
    if dropped:
        job.log(f"{split}: dropped {len(dropped)} row(s) without at least two messages, the first at {dropped[0]}")
    return kept


def _reached(job: Job, values: dict[str, Any], train: list[Row]) -> list[Row]:
    """Under a cap on the steps, leaves out training rows that would never be reached, and says so."""
    steps = job.settings.max_steps
    if not steps:
        return train
    reach = steps * values["per_device_train_batch_size"] * values["gradient_accumulation_steps"]
    if reach >= len(train):
        return train
    job.log(f"CAPPED: {steps} steps reach {reach} of {len(train)} training rows; the first are taken")
    return train[: max(reach, FEWEST_ROWS)]


def _capped(job: Job) -> bool:
    return bool(job.settings.max_steps or job.settings.max_tokens)


def _encode_split(
    job: Job, name: str, part: list[Row], tokenizer: Any, base: BaseModel, length: int, most_tokens: int | None
) -> tuple[list[Encoded], int]:
    """Encodes a split, of more than `most_tokens` the first rows alone, and says so; returns with how many it began."""
    encoded, tokens = [], 0
    for where, row in part:
        encoded.append(encode_row(where, row, tokenizer, base.system_role_supported))
        tokens += min(len(encoded[-1].ids), length)
        if most_tokens and tokens >= most_tokens:
            break
    if len(encoded) < len(part):
        job.log(f"CAPPED: {tokens} tokens are {len(encoded)} of {len(part)} {name} rows; the first are taken")
    cut = [row.cut(length) for row in encoded]
    kept = [row for row in cut if any(row.trained)]
    answers = sum(sum(row.trained) for row in cut)
    shortened = sum(len(row.ids) > length for row in encoded)
    job.log(f"{name}: {len(cut)} rows, {tokens} tokens, {answers} of them assistant tokens (trained)")
    if shortened:
        longest = max(len(row.ids) for row in encoded)
        job.log(f"{name}: {shortened} row(s) cut at {length} tokens (the longest has {longest})")
    if len(kept) < len(cut):
        job.log(f"{name}: {len(cut) - len(kept)} row(s) contribute nothing: no answer is left within {length} tokens")
    return kept, len(encoded)


def encode_row(where: str, row: dict[str, Any], tokenizer: Any, system_role_supported: bool = True) -> Encoded:
    """Encodes a row; a `UserError` that names it if the template refuses it."""
    try:
        return chat.encode(tokenizer, row["messages"], row.get("tools"), system_role_supported)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    except Exception as error:  # a template is a program: jinja2's errors, KeyError, TypeError, ... are all the row's
        raise UserError(
            f"{where}: the chat template refuses this conversation ({type(error).__name__}: {error}); every row must "
            "pass it."
        ) from None


def _check_special_tokens(base: BaseModel, tokenizer: Any, train: list[Row]) -> None:
    """Refuses chat_special_tokens that the template never writes: the component would find no assistant tokens."""
    given = base.config.get("chat_special_tokens")
    if not given or base.stand_in:
        return
    written = chat.text(tokenizer, train[0][1]["messages"], train[0][1]["tools"])
    for key in ("instruction_template", "response_template"):
        token = given[key].get("content") if isinstance(given[key], dict) else given[key]
        if token not in written:
            raise UserError(
                f"inputs.finetune_config_path: chat_special_tokens.{key} is '{token}', which the model's chat "
                "template never writes, so no assistant tokens would be found; a conversation begins "
                f"{written[:120]!r}."
            )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for part in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if part.is_file():
            digest.update(part.read_bytes())
    return digest.hexdigest()
