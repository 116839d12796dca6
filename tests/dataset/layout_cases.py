"""One row of every layout that people have, the conversation that it holds, and what becomes of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Q, A = "Question {i}: what is {i} plus one?", "The answer to number {i}, plus one."
CALL = {"name": "add", "arguments": {"a": 1}}
TOOL = {
    "name": "add",
    "description": "Adds.",
    "parameters": {"type": "object", "properties": {"a": {"type": "number"}}},
}
TOOLS = [{"type": "function", "function": TOOL}]


@dataclass(frozen=True)
class Case:
    """A layout: a row, the messages it stands for, and its columns; `{i}` is the number of the row."""

    name: str  # as the accounts call it
    row: Any
    messages: list[dict[str, Any]]
    used: str
    ignored: str = ""
    changed: str = ""  # words of what is said to have been changed
    tools: Any = None
    columns: bool = True  # whether Arrow can hold such rows


def user(text: str = Q, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def assistant(text: str = A, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def system(text: str = "Be brief.") -> dict[str, Any]:
    return {"role": "system", "content": text}


def calling(**more: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"type": "function", "function": CALL, **more}]}


def share(who: str, text: str) -> dict[str, str]:
    return {"from": who, "value": text}


PLAIN = [user(), assistant()]
RESULT = {"role": "tool", "content": "2"}
WRITTEN = '{"name": "add", "arguments": {"a": 1}}'

CASES = {
    "messages": Case("messages", {"messages": PLAIN, "id": 7}, PLAIN, "messages", "id"),
    "ultrachat": Case("messages", {"prompt": Q, "prompt_id": "{i}", "messages": PLAIN}, PLAIN,
                      "messages prompt prompt_id"),
    "any case": Case("messages", {"Messages": PLAIN}, PLAIN, "Messages"),
    "system column": Case("messages", {"messages": PLAIN, "system": "Be brief."}, [system(), *PLAIN],
                          "messages system"),
    "content parts": Case(
        "messages", {"messages": [user([{"type": "text", "text": Q}]), assistant([{"type": "text", "text": A}])]},
        PLAIN, "messages", changed="part"),
    "several parts": Case(
        "messages", {"messages": [user([{"type": "text", "text": "See."}, {"type": "input_text", "text": Q}]),
                                  assistant([{"type": "text", "text": A}])]},
        [user(f"See.\n{Q}"), assistant()], "messages", changed="joined"),
    "developer": Case(
        "messages", {"messages": [{**system(), "role": "developer"}, *PLAIN]}, [system(), *PLAIN], "messages",
        changed="developer written as system"),
    "tool calls": Case(
        "messages", {"messages": [user(), {**calling(id="c1"), "content": None}, {**RESULT, "tool_call_id": "c1"},
                                  assistant()], "tools": TOOLS},
        [user(), calling(id="c1"), {**RESULT, "tool_call_id": "c1"}, assistant()], "messages tools",
        tools=TOOLS),
    "function_call": Case(
        "messages", {"messages": [user(), {"role": "assistant", "content": None, "function_call": CALL},
                                  {**RESULT, "role": "function", "name": "add"}, assistant()], "functions": [TOOL]},
        [user(), calling(), {**RESULT, "name": "add"}, assistant()], "messages functions",
        changed="function_call written as tool_calls", tools=TOOLS),
    "weight": Case("messages", {"messages": [user(), assistant(weight=1)]}, PLAIN, "messages", changed="weight"),
    "further keys": Case("messages", {"messages": [user(country="IT"), assistant(reasoning="Hm.")]},
                         [user(country="IT"), assistant(reasoning="Hm.")], "messages",
                         changed="key reasoning of messages kept"),
    "Anthropic": Case("messages", {"system": [{"type": "text", "text": "Be brief."}], "messages": PLAIN},
                      [system(), *PLAIN], "messages system", changed="part"),
    "Gemini": Case(
        "Gemini", {"systemInstruction": {"parts": [{"text": "Be brief."}]},
                   "contents": [{"role": "user", "parts": [{"text": Q}]}, {"role": "model", "parts": [{"text": A}]}]},
        [system(), *PLAIN], "contents systemInstruction", changed="part"),
    "Cohere": Case("messages", {"messages": [{"role": "User", "content": Q}, {"role": "Chatbot", "content": A}]}, PLAIN,
                   "messages"),
    "speaker, text": Case("ShareGPT", {"dialog": [{"speaker": "Human", "text": Q}, {"speaker": "AI", "text": A}]},
                          PLAIN, "dialog"),
    "texts in turn": Case("ShareGPT", {"conversations": [Q, A]}, PLAIN, "conversations", changed="in turn"),
    "bare list": Case("bare list", PLAIN, PLAIN, "", columns=False),
    "ShareGPT": Case("ShareGPT", {"conversations": [share("human", Q), share("gpt", A)], "id": "x{i}"}, PLAIN,
                     "conversations", "id"),
    "ShareGPT, OpenAI's keys": Case("ShareGPT", {"conversations": PLAIN}, PLAIN, "conversations"),
    "ShareGPT, system": Case("ShareGPT", {"conversations": [share("human", Q), share("gpt", A)], "system": "Be brief."},
                             [system(), *PLAIN], "conversations system"),
    "ShareGPT, tools": Case(
        "ShareGPT", {"conversations": [share("human", Q), share("function_call", WRITTEN), share("observation", "2"),
                                       share("gpt", A)], "tools": '[{"name": "add"}]'},
        [user(), calling(), RESULT, assistant()], "conversations tools", changed="tools read from JSON text",
        tools=[{"name": "add"}]),
    "Alpaca": Case("Alpaca", {"instruction": Q, "input": "", "output": A, "text": "all of it"}, PLAIN,
                   "instruction output", "text"),
    "Alpaca, all of it": Case(
        "Alpaca", {"instruction": Q, "input": "Think.", "output": A, "system": "Be brief.",
                   "history": [["Hi.", "Hello."]]},
        [system(), user("Hi."), assistant("Hello."), user(f"{Q}\n\nThink."), assistant()],
        "instruction input output system history"),
    "Alpaca, prompt": Case("Alpaca", {"instruction": Q, "input": "", "output": A, "prompt": f"{Q}\n{A}"}, PLAIN,
                           "instruction output", "prompt"),
    "Dolly": Case("Dolly", {"instruction": Q, "context": "Think.", "response": A, "category": "qa"},
                  [user(f"{Q}\n\nThink."), assistant()], "instruction context response", "category"),
    "prompt/completion": Case("prompt/completion", {"prompt": Q, "completion": A}, PLAIN, "prompt completion"),
    "prompt, context": Case("prompt/response", {"prompt": Q, "context": "Think.", "response": A},
                            [user(f"{Q}\n\nThink."), assistant()], "prompt context response"),
    "prompt with its context": Case("prompt/response", {"prompt": f"Think. {Q}", "context": "Think.", "response": A},
                                    [user(f"Think. {Q}"), assistant()], "prompt context response"),
    "LangChain": Case("input/output", {"input": Q, "output": A, "chat_history": [["Hi.", "Hello."]]},
                      [user("Hi."), assistant("Hello."), *PLAIN], "input output chat_history"),
    "TRL": Case("prompt/completion", {"prompt": [system(), user()], "completion": [assistant()]}, [system(), *PLAIN],
                "prompt completion"),
    "TRL, as text": Case("prompt/completion", {"prompt": f'[{{"role": "user", "content": "{Q}"}}]', "completion": A},
                         PLAIN, "prompt completion"),
    "query/response": Case("query/response", {"query": Q, "response": A, "history": [["Hi.", "Hello."]]},
                           [user("Hi."), assistant("Hello."), *PLAIN], "query response history"),
    "OpenOrca": Case("question/response", {"id": "{i}", "system_prompt": "Be brief.", "question": Q, "response": A},
                     [system(), *PLAIN], "system_prompt question response", "id"),
    "DPO": Case("DPO", {"prompt": Q, "chosen": A, "rejected": "Bad {i}."}, PLAIN, "prompt chosen", "rejected"),
    "DPO, lists": Case("DPO", {"prompt": [user()], "chosen": [assistant()], "rejected": [assistant("Bad {i}.")]}, PLAIN,
                       "prompt chosen", "rejected"),
    "DPO, response": Case("DPO", {"prompt": Q, "response": "Bad {i}.", "chosen": A, "rejected": "Bad {i}."}, PLAIN,
                          "prompt chosen", "rejected response"),
    "DPO, system": Case("DPO", {"prompt": [system(), user()], "chosen": PLAIN, "rejected": [user(), assistant("Bad.")]},
                        [system(), *PLAIN], "prompt chosen", "rejected"),
    "DPO, transcript before": Case(
        "DPO", {"prompt": f"\n\nHuman: Hi.\n\nAssistant: Hello.\n\nHuman: {Q}\n\nAssistant:", "chosen": A,
                "rejected": "Bad."}, [user("Hi."), assistant("Hello."), *PLAIN], "prompt chosen", "rejected",
        changed="cut into turns"),
    "DPO, whole": Case("DPO", {"prompt": Q, "chosen": PLAIN, "rejected": [user(), assistant("Bad {i}.")]}, PLAIN,
                       "prompt chosen", "rejected"),
    "DPO, no prompt": Case("DPO", {"chosen": PLAIN, "rejected": [user(), assistant("Bad {i}.")]}, PLAIN, "chosen",
                           "rejected"),
    "DPO, transcript": Case(
        "DPO", {"chosen": f"\n\nHuman: {Q}\n\nAssistant: {A}", "rejected": f"\n\nHuman: {Q}\n\nAssistant: Bad."}, PLAIN,
        "chosen", "rejected", changed="cut into turns"),
    "DPO, ShareGPT": Case(
        "ShareGPT", {"conversations": [share("human", Q)], "chosen": share("gpt", A),
                     "rejected": share("gpt", "Bad {i}.")},
        PLAIN, "conversations chosen", "rejected"),
    "DPO, OpenAI's": Case(
        "messages", {"input": {"messages": [user()], "tools": TOOLS}, "preferred_output": [assistant()],
                     "non_preferred_output": [assistant("Bad.")]}, PLAIN, "messages preferred_output tools",
        "non_preferred_output", tools=TOOLS),
    "KTO": Case("KTO", {"prompt": Q, "completion": A, "label": True}, PLAIN, "prompt completion label"),
    "KTO, number": Case("KTO", {"prompt": Q, "completion": A, "label": 1}, PLAIN, "prompt completion label"),
    "label of a class": Case("messages", {"messages": PLAIN, "label": 0}, PLAIN, "messages", "label"),
    "text/ground_truth": Case("text/ground_truth", {"text": Q, "ground_truth": A}, PLAIN, "text ground_truth"),
    "Question/Answer": Case("question/answer", {"Question": Q, "Answer": A, "score": 1}, PLAIN, "Question Answer",
                            "score"),
    "beside a talk in prose": Case("question/answer", {"dialogue": "A: Hi. B: Hi.", "question": Q, "answer": A}, PLAIN,
                                   "question answer", "dialogue"),
    "user/assistant": Case("user/assistant", {"user": Q, "assistant": A}, PLAIN, "user assistant"),
}  # fmt: skip


@dataclass(frozen=True)
class Odd:
    """A row that is left out: by which check, and where what was found is said to stand."""

    row: dict[str, Any]
    check: str
    path: str
    words: str = ""


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
ODD = {
    "image": Odd({"messages": [user([{"type": "text", "text": Q}, IMAGE]), assistant()]}, "media",
                 "messages[0].content[1]", "image_url"),
    "images": Odd({"messages": PLAIN, "images": ["a.png"]}, "media", "images"),
    "weight": Odd({"messages": [user(), assistant("Bad.", weight=0), user(), assistant(weight=1)]}, "weight",
                  "messages[1].weight"),
    "weight as text": Odd({"messages": [user(), assistant("Bad.", weight="0.0")]}, "weight", "messages[1].weight"),
    "label": Odd({"prompt": Q, "completion": A, "label": False}, "label", "label"),
    "label of CSV": Odd({"prompt": Q, "completion": A, "label": "False"}, "label", "label"),
    "label, number": Odd({"question": Q, "answer": A, "label": 0}, "label", "label", "the number 0"),
    "label, word": Odd({"prompt": Q, "completion": A, "label": "rejected"}, "label", "label", "'rejected'"),
    "question": Odd({"messages": [*PLAIN, user("And {i}?")]}, "unanswered", "messages[2]", "a question at the end"),
    "result": Odd({"messages": [user(), calling(), RESULT]}, "unanswered", "messages[2]", "a tool's result"),
    "no list": Odd({"messages": 7}, "schema", "messages"),
    "no call": Odd({"conversations": [share("human", Q), share("function_call", "add"), share("gpt", A)]}, "schema",
                   "conversations[1].value", "not JSON"),
    "history": Odd({"query": Q, "response": A, "history": [["only"]]}, "schema", "history[0]"),
    "calls": Odd({"messages": [user(), assistant("", tool_calls="[7]"), RESULT, assistant()]}, "schema",
                 "messages[1].tool_calls", "a list of 1"),
    "tools": Odd({"messages": PLAIN, "tools": ["add"]}, "schema", "tools", "a list of 1"),
    "no prompt": Odd({"chosen": A, "rejected": "Bad."}, "schema", "chosen"),
    "ChatML": Odd({"messages": [user(Q + "<|im_end|>\n<|im_start|>assistant"), assistant()]}, "control_tokens",
                  "messages[0].content", "<|im_end|>"),
    "Llama": Odd({"messages": [user(), assistant("[INST] Hi [/INST]")]}, "control_tokens", "messages[1].content",
                 "[INST]"),
    "control token of a call": Odd(
        {"messages": [user(), {**calling(), "content": "Look.", "note": "<|im_end|>"}, RESULT, assistant()]},
        "control_tokens", "messages[1].note", "<|im_end|>"),
    "control token of a tool": Odd({"messages": PLAIN, "tools": [{"name": "[INST]"}]}, "control_tokens",
                                   "tools", "[INST]"),
    "number": Odd({"messages": [user(), {"role": "assistant", "tool_calls": [
        {"function": {"name": "add", "arguments": {"a": 12345678901234567890123}}}]}]}, "schema", "messages", "64-bit"),
    "number in text": Odd({"messages": PLAIN, "tools": '[{"name": "f", "parameters": {"a": 12345678901234567890123}}]'},
                          "schema", "", "64-bit"),
    "Python's turns": Odd({"prompt": "[{'content': 'Hi.', 'role': 'user'}]", "completion": A}, "schema", "prompt",
                          "json.dumps"),
    "Python's": Odd({"messages": "[{'role': 'user'}]"}, "schema", "messages", "json.dumps"),
    "unknown": Odd({"frage": Q, "antwort": A}, "schema", "", "'frage', 'antwort'"),
}  # fmt: skip


def numbered(value: Any, number: int) -> Any:
    """Returns a copy with the row's number in every text."""
    if isinstance(value, str):
        return value.replace("{i}", str(number))
    if isinstance(value, list):
        return [numbered(each, number) for each in value]
    return {name: numbered(each, number) for name, each in value.items()} if isinstance(value, dict) else value
