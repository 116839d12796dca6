"""Which columns of a row hold its conversation, told by their names once for each shape of row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scripts.dataset.checks import shown
from scripts.dataset.settings import Layout

MESSAGES = ("messages",)
CONVERSATIONS = ("conversations", "conversation", "dialogue", "dialog", "chat", "contents")
QUESTIONS = ("prompt", "instruction", "question", "query", "problem", "input", "user", "human")
ANSWERS = ("response", "completion", "output", "answer", "chosen", "solution", "assistant")
PAIRS = (("text", "ground_truth"),)  # questions that are questions only beside such an answer
SYSTEMS = ("system", "system_prompt", "system_message", "systeminstruction", "system_instruction")
HISTORIES = ("history", "chat_history")
ABOUT = ("input", "context")  # what an instruction is about, in a column of its own
ASKED_ABOUT = ("instruction", "question", "query", "problem")
LABELS = ("label", "kto_tag")  # true for an answer to learn, false for one to avoid
MEDIA = ("images", "image", "videos", "video", "audios", "audio")
KEPT = ("prompt", "prompt_id")  # what the output keeps beside `messages` of a set that has both; nobody trains on it
SPEAKER_KEYS = ("role", "from", "speaker", "author", "sender", "who")
_SAID = re.compile("answer|response|completion|output|target|reply|solution")  # in the names of answers
_BESIDE = re.compile("(^|_)id$|^tools$|^system|reject|^source$|^title$|^category$|^model$")  # what is neither
LISTS = {"messages": "messages", "contents": "Gemini"}
NAMES = {("instruction", "output"): "Alpaca", ("instruction", "response"): "Dolly"}


@dataclass
class Way:
    """The columns of one shape of row, each by the part that it plays; and how many rows went this way."""

    name: str
    messages: str | None = None  # a list of turns, or
    question: str | None = None
    answer: str | None = None  # of preferences the chosen one
    about: str | None = None
    history: str | None = None
    system: str | None = None
    tools: str | None = None
    functions: str | None = None
    label: str | None = None
    media: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    rows: int = 0

    @cached_property
    def main(self) -> tuple[str, ...]:
        """The columns without which there is no conversation."""
        return (self.messages,) if self.messages else tuple(filter(None, (self.question, self.answer)))

    @cached_property
    def side_columns(self) -> tuple[str, ...]:
        """The columns that may add to it, or speak against it."""
        some = (self.about, self.history, self.system, self.tools, self.functions, self.label)
        answer = (self.answer,) if self.messages else ()
        return tuple(filter(None, (*answer, *some, *self.media)))


def ways(names: Iterable[str], layout: Layout) -> list[Way]:
    """Returns how a row with these columns may hold a conversation, the likeliest first; none where nobody knows.

    There are several where columns of two layouts stand side by side, as when files were joined: the first whose
    columns have a value is the row's.
    """
    names = tuple(names)
    lower = {name.lower(): name for name in names} | {name: name for name in names}

    def column(*candidates: str) -> str | None:
        return next((lower[each] for each in candidates if each in lower), None)

    found: list[Way] = []
    if layout.format in ("auto", "messages", "conversations"):
        candidates = {"messages": MESSAGES, "conversations": CONVERSATIONS}.get(layout.format, MESSAGES + CONVERSATIONS)
        named = layout.messages if layout.format != "auto" or layout.messages in names else None
        lists = [named] if named else [column(each) for each in candidates]
        if layout.format != "auto" and not any(lists):
            lists = [candidates[0]]
        for each in filter(None, lists):
            chosen = column("chosen", "preferred_output")
            found.append(Way("messages" if named else LISTS.get(each.lower(), "ShareGPT"), each, answer=chosen))
    if layout.format == "prompt_response" or layout.format == "auto":
        found += _pairs(layout, column)
    for way in found:
        _find_others(way, names, column, layout)
    return found


def _pairs(layout: Layout, column: Any) -> list[Way]:
    """Returns the ways of a question and an answer in columns of their own."""
    first = ("instruction",) if column("output") else ()  # beside both, `prompt` is all three in one text
    preferred = ("chosen",) if column("rejected") else ()  # beside both, `response` may be either
    question = column(*filter(None, (layout.prompt, *first, *QUESTIONS)))
    answer = column(*filter(None, (layout.response, *preferred, *ANSWERS)))
    if not (question and answer):
        for text, truth in PAIRS:
            if column(text) and column(truth):
                question, answer = question or column(text), answer or column(truth)
    if layout.format == "prompt_response":  # a row without the columns that the values name is none
        question, answer = layout.prompt or question or QUESTIONS[0], layout.response or answer or ANSWERS[0]
    if question and answer and question != answer:
        asked, said = question.lower(), answer.lower()
        name = NAMES.get((asked, said), f"{asked}/{said}")
        if said == "chosen":
            name = "DPO"
        elif (asked, said) == ("prompt", "completion") and column("label"):
            name = "KTO"
        about = column(*(each for each in ABOUT if each != asked)) if asked in ASKED_ABOUT else column("context")
        return [Way(name, question=question, answer=answer, about=about if about != answer else None)]
    if column("chosen"):  # a whole conversation, without a prompt beside it
        return [Way("DPO", answer=column("chosen"))]
    return []


def _find_others(way: Way, names: tuple[str, ...], column: Any, layout: Layout) -> None:
    """Finds the columns that stand beside the conversation, and those that nobody uses."""
    way.system = layout.system or column(*SYSTEMS)
    way.tools, way.functions = column("tools"), column("functions")
    way.history = column(*HISTORIES) if way.question else None
    way.label = column(*LABELS)
    way.media = tuple(filter(None, map(column, MEDIA)))
    if way.messages:
        way.kept = tuple(name for name in KEPT if name in names)
    used = {*way.main, *way.side_columns, *way.kept}
    way.ignored = tuple(name for name in names if name not in used)


def hint(row: dict[str, Any]) -> str:
    """Returns the values that would map a row's columns, as far as its own names and values tell."""
    texts = [name for name, value in row.items()
             if isinstance(value, str) and value.strip() and not _BESIDE.search(name.lower())]  # fmt: skip
    answers = [name for name in texts if _SAID.search(name.lower())]
    asked = [name for name in texts if name.lower() in QUESTIONS]
    others = [name for name in texts if name not in (*answers, *asked)]
    if any(name.lower() in SPEAKER_KEYS for name in texts):
        return "a conversation a row: here a row is one message of it"
    if len(answers) > 1:
        return f"one answer: of {', '.join(map(shown, answers[:4]))} name the one to train as dataset.layout.response"
    if asked and not answers:
        return f"an answer as text beside {shown(asked[0])}"
    for name, value in row.items():
        if not answers and isinstance(value, list) and value and isinstance(value[0], dict | str):
            return turn_hint(name, value[0])
    pair = [*asked[:1], *others, *answers] if answers else others
    if len(pair) < 2:
        return "messages, or a question and an answer as text"
    prompt, response = pair[0], answers[0] if answers else pair[1]
    return f"dataset.layout: {{format: prompt_response, prompt: {_yaml(prompt)}, response: {_yaml(response)}}}"


def turn_hint(column: str, turn: Any) -> str:
    """Returns the values that would map a column of turns, as far as one of them tells."""
    if isinstance(turn, str):
        return f"dataset.layout: {{format: messages, messages: {_yaml(column)}}}"
    keys = [key for key, value in turn.items() if isinstance(value, str) and not _BESIDE.search(key.lower())]
    role = next((key for key in keys if key.lower() in SPEAKER_KEYS), None)
    content = max((key for key in keys if key != role), key=lambda key: len(turn[key]), default=None)
    if role is None or content is None:
        return "turns of {role, content} or {from, value}"
    return (
        f"dataset.layout: {{format: messages, messages: {_yaml(column)}, role: {_yaml(role)}, "
        f"content: {_yaml(content)}}}"
    )


def _yaml(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else shown(name)
