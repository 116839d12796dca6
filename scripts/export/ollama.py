"""The Modelfile with which Ollama takes a GGUF file, and answers as the endpoint does.

Ollama renders no chat template of a GGUF file: it looks for the one of its own that is nearest, and else sends the bare
question (template/template.go of its repository). So the template is written anew in its words, where it is made of
turns, and what Ollama would make of every conversation is compared with the model's own. Go's text/template, given
Ollama's variables, wrote 3,000 conversations of three models so; Ollama itself was not run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import jinja2

Render = Callable[[list[dict[str, Any]]], str]  # a conversation as text, up to where the answer begins
SYSTEM, FIRST, ANSWER, SECOND = "\ue001", "\ue002", "\ue003", "\ue004"  # stand in for texts: in no template


@dataclass(frozen=True)
class Turns:
    """A chat template as what stands around each text.

    Without a system message `opening` begins; a question stands between `question` and `answer`, and behind an answer
    comes `closing`.
    """

    opening: str
    system: str
    after_system: str
    question: str
    answer: str
    closing: str

    def text(self, messages: Sequence[dict[str, Any]]) -> str:
        """Returns what Ollama makes of messages with `go`."""
        written = "" if messages and messages[0]["role"] == "system" else self.opening
        for message in messages:
            before, after = {
                "system": (self.system, self.after_system),
                "user": (self.question, self.answer),
            }.get(message["role"], ("", self.closing))
            written += before + message["content"] + after
        return written

    def go(self) -> str:
        """Returns the template in Go's words."""
        return (
            f"{{{{ if not .System }}}}{self.opening}{{{{ end }}}}{{{{ range .Messages }}}}"
            f'{{{{ if eq .Role "system" }}}}{self.system}{{{{ .Content }}}}{self.after_system}'
            f'{{{{ else if eq .Role "user" }}}}{self.question}{{{{ .Content }}}}{self.answer}'
            f'{{{{ else if eq .Role "assistant" }}}}{{{{ .Content }}}}{self.closing}{{{{ end }}}}{{{{ end }}}}'
        )


def turns(render: Render, conversations: Sequence[list[dict[str, Any]]]) -> Turns | None:
    """Returns the turns of a chat template, None where it is made of anything else, as one conversation shows."""
    asked = [{"role": "user", "content": FIRST}, {"role": "assistant", "content": ANSWER},
             {"role": "user", "content": SECOND}]  # fmt: skip
    try:
        plain, told = render(asked), render([{"role": "system", "content": SYSTEM}, *asked])
        begin, answer, between, last = _around(plain, FIRST, ANSWER, SECOND)
        system, after, *_ = _around(told, SYSTEM, FIRST)
    except (ValueError, jinja2.TemplateError):
        return None
    question = _common_end(begin, after, between)
    opening, after_system, closing = (text.removesuffix(question) for text in (begin, after, between))
    found = Turns(opening, system, after_system, question, answer, closing)
    strange = any("{{" in part or '"""' in part or part.endswith("{") for part in astuple(found))  # to Go or Modelfile
    if strange or answer != last or any(found.text(each) != render(each) for each in conversations):
        return None
    return found


def _around(text: str, *marks: str) -> list[str]:
    """Returns what stands around marks, each of which stands in the text once and in this order."""
    parts = []
    for mark in marks:
        before, found, text = text.partition(mark)
        if not found or mark in text:
            raise ValueError(mark)
        parts.append(before)
    return [*parts, text]


def _common_end(*texts: str) -> str:
    """Returns the longest text with which all of them end."""
    shortest = min(texts, key=len)
    return next(shortest[at:] for at in range(len(shortest) + 1) if all(text.endswith(shortest[at:]) for text in texts))


def modelfile(file: str, found: Turns | None, request: dict[str, Any], context: int, stops: Sequence[str]) -> str:
    """Returns the Modelfile of a GGUF file beside it."""
    sampled = request["do_sample"]
    numbers = {
        "temperature": request["temperature"] if sampled else 0,
        "top_p": request["top_p"],
        "top_k": 0,
        "min_p": 0,
        "repeat_penalty": 1,
        "num_predict": request["max_new_tokens"],
        "num_ctx": context,
    }
    lines = [f"FROM ./{file}"]
    if found:
        lines.append(f'TEMPLATE """{found.go()}"""')
    else:
        lines.append("# no TEMPLATE: the model's own is not made of turns alone; see README.md")
    lines += [f"PARAMETER {name} {value}" for name, value in numbers.items()]
    quoted = (f'"""{stop}"""' if '"' in stop else f'"{stop}"' for stop in stops)
    return "\n".join([*lines, *(f"PARAMETER stop {stop}" for stop in quoted), ""])
