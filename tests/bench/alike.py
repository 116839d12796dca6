"""What finding duplicates and leaks costs: CPU for 125 MB of conversations, peak memory for many short ones.

python -m tests.bench.alike [CONVERSATIONS]     (default 500,000, some two minutes)
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import xxhash

from scripts.dataset import alike
from scripts.dataset.duplicates import Seen
from scripts.dataset.text_checks import Texts
from tests.bench.data_sets import ROW_BYTES, _conversation, _sentences

LARGE = 20_000  # conversations of 6 KB
CHUNK = 170


def costs(many: int) -> None:
    """Prints the CPU of the parts on large conversations, then memory as many short ones are entered."""
    generator = random.Random(1)
    sentences = _sentences(generator)
    rows = [_conversation(generator, sentences, ROW_BYTES) for _ in range(LARGE)]
    texts = [[each["content"] for each in row] for row in rows]
    roles = [tuple(each["role"] for each in row) for row in rows]
    size = sum(len(text) for row in texts for text in row) / 1e6
    chunks = range(0, LARGE, CHUNK)
    blobs = [Texts(texts[at : at + CHUNK]) for at in chunks]
    seen, talks = Seen(), list[alike.Talk]()
    cut = _seconds(lambda: talks.extend(map(alike.talk, roles, texts)))
    canonical = _seconds(lambda: [each.canonical() for each in blobs])
    entered = _seconds(lambda: [_enter(seen, at, talks[at : at + CHUNK]) for at in chunks])
    print(f"{LARGE:,} conversations, {size:.0f} MB: {cut:.2f} s what is compared, {canonical:.2f} s white space, "
          f"{entered:.2f} s looking up and entering; {cut + canonical + entered:.2f} s of CPU")  # fmt: skip
    seen, begun, found, spent = Seen(), _peak(), 0, 0.0
    for at in range(0, many, 500):
        some = [_short(generator, number) for number in range(at, at + 500)]
        start = time.process_time()
        found += len(_enter(seen, at, some))
        spent += time.process_time() - start
    print(f"{many:,} short conversations: {spent:.1f} s of CPU, {_peak() - begun:.0f} MB more, {found} found")


def _short(generator: random.Random, number: int) -> alike.Talk:
    words = [f"{generator.randrange(30_000):x}".translate(str.maketrans("0123456789", "ghijklmnop")) for _ in range(15)]
    return alike.talk(("user", "assistant"), [" ".join(words[:8]), " ".join([*words[8:], str(number)])])


def _enter(seen: Seen, at: int, talks: list[alike.Talk]) -> list[Any]:
    numbers = list(range(at, at + len(talks)))
    return seen.add(numbers, [xxhash.xxh3_64_intdigest(b"%d" % number) for number in numbers], talks)[0]


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    costs(int(sys.argv[1]) if sys.argv[1:] else 500_000)
