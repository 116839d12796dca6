"""How much Azure and the component allow: counts, seconds, shares, parameters. Facts from catalog/limits.json."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.azure.catalog import read_catalog, record


@dataclass(frozen=True)
class Limit:
    """A range of numbers: `least` and `most` belong to it, `above` and `below` do not."""

    of: str
    source: str
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    unverified: str = ""
    why: str = ""  # of what is usual: what a number beyond it would do

    def holds(self, number: float) -> bool:
        """Tells whether a number is allowed; what is not a number (NaN) never is."""
        return (
            (self.least is None or number >= self.least)
            and (self.most is None or number <= self.most)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
            and number == number
        )

    @property
    def words(self) -> str:
        """What is allowed, in words."""
        if self.above is not None:
            return f"more than {self.above}"
        if self.least is not None and self.most is not None:
            return f"{self.least} to {self.most}" if self.least != self.most else f"{self.least} only"
        if self.least is None and self.most is not None:
            return f"at most {self.most}"
        return f"{self.least} to below {self.below}" if self.below is not None else f"{self.least} or more"


@functools.cache
def limits() -> dict[str, Limit]:
    """Returns the limits by what they are of, such as `deployment.instance_count`."""
    return {row["of"]: record(Limit, row) for row in read_catalog("limits.json")["limits"]}


def limit(of: str) -> Limit:
    """Returns one limit."""
    return limits()[of]


def traffic_adds_up(total: float) -> bool:
    """Tells whether the shares of an endpoint's traffic may add up to this: to none, or to all of it."""
    return limit("endpoint.traffic.unused").holds(total) or limit("endpoint.traffic.whole").holds(total)


def gets_both(traffic: Mapping[str, int], mirror: Mapping[str, int]) -> list[str]:
    """Returns the deployments with live and mirrored traffic, of which one gets one alone.

    Microsoft, Safe rollout for online endpoints; what the service says to both is unverified.
    """
    return [name for name, share in mirror.items() if share and traffic.get(name)]


@functools.cache
def component_limits() -> dict[str, Limit]:
    """Returns the limits of the component's inputs that its interface does not say, by input."""
    return {row["of"]: record(Limit, row) for row in read_catalog("limits.json")["component"]}


FAR = 100  # so many times beyond what is usual, a learning rate makes a run useless


@functools.cache
def usual() -> dict[str, Limit]:
    """Returns what is usual for keys of the values, with `why`; Azure takes more, and the user pays for it."""
    return {row["of"]: record(Limit, row) for row in read_catalog("limits.json")["usual"]}


def far_out(rate: float, least: float, most: float) -> bool:
    """Tells whether a learning rate is FAR times, or more, outside a range."""
    return rate * FAR <= least * (1 + 1e-9) or rate >= most * FAR * (1 - 1e-9)
