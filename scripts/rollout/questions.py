"""Asks the new deployment and the one that answers the same held-out questions, at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from scripts.chain.run import Run
from scripts.conversation import held_out
from scripts.conversation.held_out import Case
from scripts.errors import MISSING, UserError
from scripts.rollout.judged import Limits, Round
from scripts.rollout.service import Reply, Service

PLAIN = Case("a plain question", [{"role": "user", "content": "What can you do?"}], "")


class Questions:
    """Rounds of questions; each round draws others, as far as there are some."""

    def __init__(self, run: Run, service: Service, tell: Callable[[str], None]) -> None:
        self._run, self._service, self._tell = run, service, tell
        self._values = run.values.data["deployment"]["rollout"]
        self._limits = Limits.of(self._values)
        self._rounds = 0

    def judge(self, what: str, new: str, old: str = "", spread: bool = False) -> str:
        """Asks a round and returns which check failed, with its figures; an empty text where none did.

        `spread`: the questions are spread over watch_minutes.
        """
        cases = self._cases(bool(old))
        pause = self._values["watch_minutes"] * 60 / len(cases) if spread else 0.0
        news: list[Reply] = []
        olds: list[Reply] = []
        for case in cases:
            next_at = time.monotonic() + pause
            pair = self._both(case, new, old)
            news.append(pair[0])
            olds += pair[1:]
            made = Round(cases, news, olds, old)
            if fault := made.errors(self._limits, len(cases)):
                return f"{what}: {fault}"
            time.sleep(max(0.0, next_at - time.monotonic()))
        if fault := made.fault(self._limits):
            return f"{what}: {fault}"
        self._tell(f"  {what}: {made.summary()}")
        return ""

    def check(self) -> None:
        """Refuses rows that cannot be read, before a deployment is made that is to be asked them."""
        try:
            held_out.cases(self._run.environment, self._run.root)
        except UserError as error:
            if error.code != MISSING:
                raise

    def _cases(self, compares: bool) -> list[Case]:
        """Draws a round's questions; who only goes back is held up by no row that cannot be read."""
        self._rounds += 1
        try:
            cases, _ = held_out.askable(
                held_out.drawn(self._run.environment, self._values["questions"], self._rounds, self._run.root)
            )
            return cases
        except UserError as error:
            if error.code != MISSING and compares:
                raise
            if self._rounds == 1:
                self._tell("  no held-out rows here: a plain question is asked, and errors and time are judged alone")
            return [PLAIN] * min(5, self._values["questions"])

    def _both(self, case: Case, new: str, old: str) -> list[Reply]:
        """Asks both at once. The old one in the background, so that a Ctrl-C waits for nobody."""
        found: list[Reply] = []

        def ask_old() -> None:
            found.append(self._service.ask(old, case))

        beside = threading.Thread(target=ask_old, daemon=True)
        if old:
            beside.start()
        reply = self._service.ask(new, case)
        if not old:
            return [reply]
        beside.join()
        return [reply, *(found or [Reply("", 0.0, "it was not asked")])]
