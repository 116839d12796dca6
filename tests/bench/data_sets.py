"""Made-up conversations shaped like ultrachat_200k's train_sft, as Parquet and as JSON Lines with the same rows."""

from __future__ import annotations

import hashlib
import itertools
import random
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

ROW_BYTES = 6000  # of ultrachat_200k
SENTENCE_BYTES = 97
UNTIDY = 0.05  # of the messages end in white space
GROUP = 1000  # rows of a row group, as on the hub
_MESSAGE = pa.struct([("content", pa.string()), ("role", pa.string())])
_SCHEMA = pa.schema([("prompt", pa.string()), ("prompt_id", pa.string()), ("messages", pa.list_(_MESSAGE))])
_ASIDES = (  # what stands in chats beside prose: numbers, links, code, addresses that are none
    "In {0}, {1},{0} of them were counted, or {2} %. ", "1. See https://example.com/{3}/{1}?page={2} for more.\n2. ",
    "`items = load({1}, token=tokens[{2}])`\n", "The key is to wait {2} minutes. ",
    "```python\nx{2} = y[{1}] * {2}\n```\n",
    "Version {2}.{1}.0 of {3} came on {0}-01-{2}. ",
)  # fmt: skip


def generate(rows: int, folder: Path, shards: int = 1, row_bytes: int = ROW_BYTES) -> None:
    """Writes `shards` times `rows` conversations to `folder`/parquet and `folder`/jsonl; keeps what is there."""
    for form in ("parquet", "jsonl"):
        (folder / form).mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        name = f"train-{shard:05}-of-{shards:05}"
        done = folder / "parquet" / f"{name}.parquet"
        if not done.exists() or pq.ParquetFile(done).metadata.num_rows != rows:
            _shard(rows, done, folder / "jsonl" / f"{name}.jsonl", shard + 1, row_bytes)


def _shard(rows: int, parquet: Path, jsonl: Path, seed: int, row_bytes: int) -> None:
    generator = random.Random(seed)
    sentences = _sentences(generator)
    partial = parquet.with_suffix(".partial")
    with pq.ParquetWriter(partial, _SCHEMA) as writer, jsonl.open("wb") as lines:
        for start in range(0, rows, GROUP):
            some = []
            for number in range(start, min(start + GROUP, rows)):
                messages = _conversation(generator, sentences, row_bytes)
                identity = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()
                some.append({"prompt": messages[0]["content"], "prompt_id": identity, "messages": messages})
            writer.write_table(pa.Table.from_pylist(some, schema=_SCHEMA))
            lines.write(b"".join(orjson.dumps(row) + b"\n" for row in some))
    partial.replace(parquet)


def _sentences(generator: random.Random) -> list[str]:
    """Makes sentences of words by Zipf's law, with the punctuation, quotes, paragraphs and asides of chat text."""
    syllables = [first + last for first in "bcdfghklmnprstvw" for last in ("a", "e", "i", "o", "u", "ai", "ou")]
    words = ["".join(generator.choices(syllables, k=generator.choice((1, 2, 2, 3, 3, 4)))) for _ in range(20_000)]
    often = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    ends = (". ", ". ", "? ", "! ", ".\n\n", '." ', ", ")
    sentences = []
    for _ in range(20_000):
        some = generator.choices(words, cum_weights=often, k=generator.randint(6, 22))
        quoted = generator.random() < 0.01
        sentence = (" ".join(some).capitalize() + generator.choice(ends)).replace(" ", " “so” ", int(quoted))
        if generator.random() < 0.05:
            numbers = (generator.randint(1900, 2030), generator.randint(1, 999), generator.randint(1, 99))
            sentence += generator.choice(_ASIDES).format(*numbers, generator.choice(words))
        sentences.append(sentence)
    return sentences


def _conversation(generator: random.Random, sentences: list[str], row_bytes: int) -> list[dict[str, str]]:
    turns = generator.choice((4, 6, 6, 8)) if row_bytes >= ROW_BYTES // 2 else 2
    answer = max(1, 2 * (row_bytes // SENTENCE_BYTES) // turns - 2)  # sentences of one, on average
    messages = []
    for turn in range(turns):
        count = generator.randint(1, 3) if turn % 2 == 0 else generator.randint(max(1, answer // 2), answer * 3 // 2)
        role = "assistant" if turn % 2 else "user"
        text = "".join(generator.choices(sentences, k=count))
        messages.append({"content": text if generator.random() < UNTIDY else text.strip(), "role": role})
    return messages
