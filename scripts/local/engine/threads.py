"""How many threads to compute with, on a machine that others use too.

Two threads that wait for each other thousands of times a second stand still whenever one of them loses its core: beside
busy neighbours, two threads on two cores were seen to be twenty times slower than one. So the number of threads follows
what the neighbours leave.
"""

from __future__ import annotations

import os
import time

SPINNING = "3000"  # rounds, about 20 microseconds, that a waiting thread spins before it sleeps
# oneDNN and torch keep compiled kernels by shape, 1024 each. Every batch has other shapes, and a step uses about a
# hundred: with the defaults a run of 100 steps grew by more than a gigabyte, for kernels that are hardly met again.
KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128", "LRU_CACHE_CAPACITY": "64"}
# Huge pages for what is allocated, where the system gives them on request: a step reads all weights, and looking up the
# addresses of small pages took a quarter of its time. The C library reads it before a program begins.
AT_START = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
INTERVAL = 1.0  # seconds between two looks at the neighbours


def tune(threads: int | None = None) -> None:
    """Sets what libgomp and MKL read when torch is imported; has to be called before that."""
    count = str(threads or cores())
    os.environ.update(OMP_NUM_THREADS=count, MKL_NUM_THREADS=count, GOMP_SPINCOUNT=SPINNING, **KERNELS)
    os.environ.pop("OMP_WAIT_POLICY", None)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Follower:
    """Sets torch's number of threads to the cores that other processes leave, at most `most`, and at least one.

    `adjust` has to be called by the thread that computes (the number is a thread's own), every now and then.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most or cores()
        self.current = self.most
        self.since = time.monotonic()
        self.busy, self.own = _busy(), time.process_time()

    def adjust(self) -> int:
        """Looks at the time since the last look, if that is long enough to tell; returns the number of threads."""
        now = time.monotonic()
        if now - self.since >= INTERVAL and self.busy is not None and (busy := _busy()) is not None:
            own = time.process_time()
            others = (busy - self.busy - (own - self.own)) / (now - self.since)
            self.since, self.busy, self.own = now, busy, own
            self.current = max(1, min(self.most, round(self.most - others)))
        import torch

        if torch.get_num_threads() != self.current:
            torch.set_num_threads(self.current)
        return self.current


def _busy() -> float | None:
    """Returns the seconds that all cores have worked since the start of the machine; None where nobody counts them."""
    try:
        with open("/proc/stat", encoding="ascii") as stat:  # noqa: PTH123 - a pseudo-file, read every second
            user, nice, system, _idle, _wait, irq, softirq = map(int, stat.readline().split()[1:8])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
