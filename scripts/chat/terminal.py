"""The chat in a terminal: lines and commands in, an answer out as it comes."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scripts import terminal
from scripts.chat.turns import Conversation, save
from scripts.conversation.held_out import Case
from scripts.errors import FILE, UserError, one_line, suggest

HELP = """\
  /example [NUMBER]   ask a held-out question, and show the true answer to it
  /system TEXT        set the system prompt (without TEXT: take it away)
  /set NAME VALUE     set temperature, top_p, do_sample or max_new_tokens
  /show               show the system prompt, the parameters and the turns so far
  /undo               take the last question and its answer back
  /again              ask the last question anew
  /new                begin a new conversation
  /save [FILE]        append this conversation to a JSONL file, as one more row of training data
  /quit               end (Ctrl-D does too; Ctrl-C stops an answer)
A line that ends with \\ goes on in the next one."""


class Terminal:
    """Reads lines, asks, prints: `ask` yields an answer's pieces, `say` prints text as it is."""

    def __init__(
        self,
        conversation: Conversation,
        ask: Callable[[Conversation], Iterator[str]],
        say: Callable[[str], Any],
        saved: Path,
        wraps: bool = False,
        examples: Callable[[], list[Case]] = list,
    ) -> None:
        self.conversation, self.ask, self.say, self.saved, self.wraps = conversation, ask, say, saved, wraps
        self.examples = examples

    def take(self, line: str) -> bool:
        """Does what a line asks for; returns False when it ends the conversation."""
        if not line.strip():
            return True
        if not line.startswith("/"):
            self.conversation.say("user", line)
            self.answer()
            return True
        word, _, rest = line[1:].partition(" ")
        verbs = {name.removeprefix("do_"): name for name in dir(self) if name.startswith("do_")}
        if word in ("quit", "exit", "q"):
            return False
        if word not in verbs:
            near = suggest(word, [*verbs, "quit"])
            self.say(f"/{word}: unknown command{near}; /help lists them (a blank before the / asks it)\n")
            return True
        try:
            getattr(self, verbs[word])(rest.strip())
        except UserError as error:
            self.say(f"{error}\n")
        return True

    def answer(self) -> bool:
        """Asks for the next turn and prints it as it comes; what fails or is stopped leaves the question unasked.

        Returns whether there is an answer.
        """
        begun, text, flow = time.monotonic(), "", terminal.Flow(self.say)
        show = flow.add if self.wraps else self.say
        try:
            for piece in self.ask(self.conversation):
                show(terminal.plain(piece))
                text += piece
            flow.end()
        except (UserError, KeyboardInterrupt) as error:
            self.conversation.undo()
            self.say(
                f"\n[{'stopped' if isinstance(error, KeyboardInterrupt) else error}; the question is taken back]\n"
            )
            return False
        self.conversation.say("assistant", text)
        self.say(f"\n[{time.monotonic() - begun:.1f} s]\n")
        return True

    def do_help(self, _: str) -> None:
        self.say(f"{HELP}\n")

    def do_example(self, number: str) -> None:
        found = self.examples()
        if not found or not re.fullmatch(r"[1-9]\d{0,3}|", number) or int(number or 1) > len(found):
            self.say(f"[there are {len(found)} examples: /example 1 asks the first]\n")
            return
        case = found[int(number or 1) - 1]
        first, *rest = case.messages
        is_system = first["role"] == "system"
        self.conversation.system = first["content"] if is_system else ""
        self.conversation.turns[:] = rest if is_system else case.messages
        for message in self.conversation.messages:
            self.say(f"{message['role']}: {terminal.plain(message['content'])}\n")
        if self.answer():
            self.say(f"true: {terminal.plain(case.truth)}\n")

    def do_system(self, text: str) -> None:
        self.conversation.system = text
        self.say("[system prompt set]\n" if text else "[no system prompt]\n")

    def do_set(self, rest: str) -> None:
        name, _, value = rest.replace("=", " ").partition(" ")
        self.conversation.set(name, value.strip())
        self.say(f"[{name} {self.conversation.parameters[name]}]\n")

    def do_show(self, _: str) -> None:
        for name, value in self.conversation.parameters.items():
            self.say(f"{name}: {value}\n")
        for message in self.conversation.messages:
            self.say(f"{message['role']}: {terminal.plain(message['content'])}\n")

    def do_undo(self, _: str) -> None:
        self.say("[taken back]\n" if self.conversation.undo() else "[nothing was asked yet]\n")

    def do_again(self, _: str) -> None:
        before = list(self.conversation.turns)
        questions = [turn["content"] for turn in before if turn["role"] == "user"]
        if not questions:
            self.say("[nothing was asked yet]\n")
            return
        self.conversation.undo()
        self.conversation.say("user", questions[-1])
        if not self.answer():
            self.conversation.turns[:] = before
            self.say("[the answer that there was stays]\n")

    def do_new(self, _: str) -> None:
        self.conversation.turns.clear()
        self.say("[new conversation]\n")

    def do_save(self, name: str) -> None:
        path = Path(name) if name else self.saved
        rows = save(self.conversation.messages, path)
        self.say(f"[{path}: {rows} row{'s' * (rows != 1)}]\n")


def lines() -> Iterator[str]:
    """Yields what the user types; Ctrl-C empties the line, Ctrl-D ends."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # history and editing of the line, where Python was built with it
    typed = ""
    while True:
        try:
            line = input("" if not sys.stdin.isatty() else "… " if typed else "> ")
        except EOFError:
            return
        except OSError as error:  # the terminal is gone, or what is in its place can only be written to
            reason = one_line(error.strerror or error).lower()
            raise UserError(
                f"nothing can be read from standard input ({reason}); call this in a terminal", FILE
            ) from None
        except KeyboardInterrupt:
            print()
            typed = ""
            continue
        typed += line
        if typed.endswith("\\"):
            typed = typed[:-1] + "\n"
            continue
        yield typed
        typed = ""
