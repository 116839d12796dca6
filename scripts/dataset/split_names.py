"""What the path of a file tells about its split: `train-00.jsonl`, `test/chats.jsonl`, `data/dev_2024-01-01.parquet`.

A word that says train, validation, test or heldout is evidence, in the file's name as in a folder's. Numbers and dates
tell shards of one split apart, so they are no part of its name. Where a path holds two kinds of evidence, both stay in
the name of the split, so that nobody takes it for either.
"""

from __future__ import annotations

import re
from functools import lru_cache

from scripts.dataset.file import stem_of
from scripts.dataset.settings import HELDOUT, TEST, TRAIN, VALIDATION

_KINDS = {TRAIN: "train|training", VALIDATION: "val|valid|validation|validate|dev|eval|evaluation",
          TEST: "test|tests|testing", HELDOUT: "heldout|holdout"}  # fmt: skip
_KIND = {kind: re.compile(rf"(?:{words})(?:set|split|data|file)?") for kind, words in _KINDS.items()}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_OF = re.compile(r"^(.*?)[-_. ]?\d+[-_]?of[-_]?\d+.*$")  # 00000-of-00003, and the hash that may follow
_SPARK = re.compile(r"^(part)-\d+-.*$")
_FIRST_NUMBERS = re.compile(r"^(?:\d+[-_. T])+(?=.)")
_LAST_NUMBERS = re.compile(r"(?:[-_. :T]+\d+Z?| ?\(\d+\))$")
_ANONYMOUS = re.compile(r"(?:part|shard|chunk|data|dataset|file|batch|rows)?[-_.]?\d*", re.IGNORECASE)
_PARTITION = re.compile(r"\w+=.*")  # a folder as Hive writes it: year=2024


@lru_cache(maxsize=1024)
def evidence(name: str) -> frozenset[str]:
    """Returns which of train, validation, test and heldout the words of a name say; of test and heldout, heldout."""
    words = re.findall("[a-z]+", _CAMEL.sub("_", re.sub("(?i)h[eo]ld[-_ ]?out", "heldout", name)).lower())
    kinds = {kind for word in words for kind, pattern in _KIND.items() if pattern.fullmatch(word)}
    if TEST in kinds and (HELDOUT in kinds or "gen" in words):  # test_gen, as ultrachat_200k calls it
        kinds = kinds - {TEST} | {HELDOUT}
    return frozenset(kinds)


def split_of(label: str) -> str:
    """Returns the split that a file's path tells: `data/train_sft-00000-of-00003.parquet` is of train_sft."""
    folders = [stem_of(folder) for folder in label.split("/")[:-1]]
    own = _without_numbers(stem_of(label))
    telling = [name for name in folders if evidence(name)]
    kinds = frozenset[str]().union(*map(evidence, [*telling, own]))
    if len(kinds) > 1 and kinds != {TEST, HELDOUT}:
        return "/".join([*telling, own])
    if telling or evidence(own):
        return telling[-1] if telling else own
    if not _ANONYMOUS.fullmatch(own):
        return own
    named = [name for name in folders if not _ANONYMOUS.fullmatch(name) and not _PARTITION.fullmatch(name)]
    return named[-1] if named else own or "data"


def folder_of(label: str) -> str:
    """Returns the folder of a file, without the parts that tell a split or number its shards."""
    folders = label.split("/")[:-1]
    kept = [each for each in folders if not evidence(each) and each != "data" and not _PARTITION.fullmatch(each)]
    return "/".join(kept)


def _without_numbers(stem: str) -> str:
    """Returns a name without the number or date that tells a shard from its neighbours."""
    for pattern in (_OF, _SPARK):
        if shard := pattern.match(stem):
            stem = shard[1]
    while (shorter := _LAST_NUMBERS.sub("", stem)) != stem:
        stem = shorter
    stem = _FIRST_NUMBERS.sub("", stem)
    word = stem.rstrip("0123456789")
    return word if not word or evidence(re.split(r"[-_. ]", word)[-1]) else stem  # train1, but not train_v1
