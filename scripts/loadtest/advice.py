"""What a ramp says: where the knee is, and the lines for values that fit it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.azure.limits import limit
from scripts.loadtest.load import Level

WORTH = 0.10  # less throughput than this share more is not worth the longer wait
SHORTEST_TIMEOUT_MS = 10_000  # a short test has not seen the longest answer


@dataclass(frozen=True)
class Advice:
    """The level at the knee, why, and deployment values by key; `limited` says that the knee may be the setting's."""

    knee: Level
    reason: str
    limited: bool
    values: dict[str, int]


def usable(levels: Sequence[Level]) -> list[Level]:
    """Returns the levels in which every request was answered."""
    return [level for level in levels if level.latencies and not level.failed]


def knee(levels: Sequence[Level]) -> tuple[Level, str]:
    """Returns the last level that still paid, and why it is the last.

    A level pays if all of its requests are answered and it answers at least WORTH more of them a second than the best
    level before it; one level that does not pay is passed over if the next one does.
    """
    good = usable(levels)
    best = good[0]
    for level in good[1:]:
        if level.requests_per_second >= best.requests_per_second * (1 + WORTH):
            best = level
    beyond = [level for level in levels if level.concurrency > best.concurrency]
    if not beyond:
        return best, "throughput still grew at the highest level tried; try higher ones with --levels"
    following = beyond[0]
    if following.failed:
        share = 100 * following.failed / (following.failed + len(following.latencies))
        return best, f"at {following.concurrency} at once {share:.0f} % of the requests were refused or failed"
    gain = 100 * (following.requests_per_second / best.requests_per_second - 1)
    return best, f"at {following.concurrency} at once throughput changes by {gain:+.0f} % only, and answers take longer"


def advise(levels: Sequence[Level], places: int, instances: int, target_rps: float | None = None) -> Advice | None:
    """Returns what to set; None if no level was answered in full.

    `places` is how many requests the deployment works on at a time now; as many again wait, and Azure refuses the rest
    (429). So a knee at that number may be the setting's and not the machine's.
    """
    if not usable(levels):
        return None
    at, reason = knee(levels)
    limited = at.concurrency >= places
    # It works on no more at a time, so what the machine could do was not seen: double it, and test again.
    together = 2 * places if limited else at.concurrency
    rate = at.requests_per_second / instances  # of one instance
    wanted = max(1, math.ceil(target_rps / rate)) if target_rps else instances
    # Three times the slowest answer is for bad moments.
    timeout = max(SHORTEST_TIMEOUT_MS, math.ceil(max(at.latencies) * 3) * 1000)
    values = {
        "instance_count": wanted,
        "max_concurrent_requests_per_instance": max(1, math.ceil(together / instances)),
        "request_timeout_ms": int(min(timeout, limit("deployment.request_timeout_ms").most or timeout)),
    }
    return Advice(at, reason, limited, values)


def lines(advice: Advice, places: int, target_rps: float | None, here: bool = False) -> list[str]:
    """Returns what to print: the knee, and the values as they go into environments/<env>.yaml.

    `here`: on localhost, where neither the machine nor a model that stands in says anything of Azure's.
    """
    at = advice.knee
    said = [
        f"knee: {at.concurrency} at once: {at.requests_per_second:.2f} requests/s, {at.tokens_per_second:.0f} "
        f"tokens/s, p95 {at.percentile(95):.1f} s; {advice.reason}"
    ]
    if here:
        return [*said, "These figures are this machine's, and its model's: they are no advice for Azure's machines."]
    if advice.limited:
        said.append(
            f"the deployment works on {places} at a time, so this may be its limit and not the machine's: deploy with "
            "the values below, and test again"
        )
    for_what = f"for {target_rps:g} requests/s" if target_rps else "for as many requests as now"
    settings = [f"  {key}: {value}" for key, value in advice.values.items()]
    return [*said, f"recommended {for_what}:", "deployment:", *settings]
