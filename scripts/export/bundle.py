"""What an export holds: the model's file, proven, and how to run it; or a folder of transformers, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts import terminal
from scripts.conversation import model_folder, template
from scripts.errors import FAILED, UserError
from scripts.evaluate.model_version import ModelVersion
from scripts.export import (
    conversations,
    gguf_file,
    ollama,
    place,
    proof,
    transformers_folder,
    vocabulary,
    weights,
)
from scripts.export.conversations import Chosen
from scripts.export.llama_cpp import LlamaCpp, RefusedError
from scripts.export.transformers_folder import Source
from scripts.export.weights import UnknownError
from scripts.files import ROOT
from scripts.targets import command
from scripts.values.read import Values

ROOM = 2**26  # bytes beside the weights: tokenizer, Modelfile, README
Said = tuple[str, str]  # a word, and a sentence behind it
QUANTIZED = "Q4_K_M"  # what llama-quantize's users mostly take


def export(
    values: Values, meant: ModelVersion, model: Path, result: Path, gguf: bool = True, root: Path = ROOT
) -> None:
    """Writes the model of a folder into `result` and says what was proven; whole or not at all."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # a conversation longer than the context is tokenized all the same
    say("files", f"{place.size(model) / 1e9:.2f} GB in {_shown(model)}")
    merging = (model / model_folder.ADAPTER).is_dir()
    stem = f"{meant.name}-{meant.version}"
    with place.whole(result) as part:
        place.refuse_others(result, *(((f"{stem}.gguf", *place.SIGNS), ()) if gguf else ((), (stem,))))
        place.require_room(result, place.size(model) * (2 if merging else 1) + ROOM)
        source = transformers_folder.read(model, part / ".merged")
        template.check(source.tokenizer)
        said = _written(values, meant, source, part, result, gguf, root)
    for head, text in said:
        say(head, text)


def _written(
    values: Values, meant: ModelVersion, source: Source, part: Path, result: Path, gguf: bool, root: Path
) -> list[Said]:
    """Writes one or the other, and returns what to say of it once it is in its place."""
    why = "FORMAT asks for it"
    if gguf:
        try:
            return _llama_cpp(values, meant, source, part, result, root)
        except UnknownError as error:
            why = f"{error}, and so is no GGUF file that is written here"
    stem = f"{meant.name}-{meant.version}"
    transformers_folder.write(source, part / stem)
    return [("written", f"{_shown(result / stem)}: a folder of transformers, since {why}")]


def _llama_cpp(values: Values, meant: ModelVersion, source: Source, part: Path, result: Path, root: Path) -> list[Said]:
    """Writes GGUF file, Modelfile and README.md."""
    found = weights.read(source.weights)
    tokenizer = source.load_tokenizer()
    ends = source.ends(tokenizer)
    words = vocabulary.read(tokenizer, found.rows, ends)
    chosen = conversations.choose(values.environment, words, root)
    wanted = proof.expected(tokenizer, chosen.conversations, source.system_role)
    with place.writing(result):
        split = proof.find_split(part / ".tokenizer.gguf", meant.name, tokenizer, words, wanted)
    context = min(found.context, tokenizer.model_max_length)
    stem = f"{meant.name}-{meant.version}"
    file = part / f"{stem}.gguf"
    with place.writing(result):
        gguf_file.whole(file, meant.name, meant.version, found, words, split, context)
    _prove(file, tokenizer, wanted)

    def render(messages: list[dict[str, Any]]) -> str:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    turns = ollama.turns(render, [each.question for each in wanted if each.conversation.plain])
    stops, request = [tokenizer.decode([end]) for end in ends], values.data["request"]
    (part / "Modelfile").write_text(ollama.modelfile(file.name, turns, request, context, stops), encoding="utf-8")
    (part / "README.md").write_text(_readme(file.name, stem, request, turns is not None), encoding="utf-8")
    said = [("proven", _proven(chosen, wanted, split, values.environment)), *(("", each) for each in words.apart)]
    if context < found.config.max_position_embeddings:
        said.append(("", f"{context:,} tokens of context: llama.cpp sees more than the model's sliding window beyond"))
    size = f"({found.kind}, {found.bytes / 1e9:.2f} GB)"
    said.append(("written", f"{_shown(result / file.name)} {size}, Modelfile, README.md"))
    if not turns:
        said.append(("", "Modelfile without TEMPLATE: Ollama cannot render the model's, so ask llama.cpp"))
    return said


def _prove(file: Path, tokenizer: Any, wanted: list[proof.Expected]) -> None:
    """Has llama.cpp load the file itself and read every conversation again."""
    try:
        _, difference = proof.compare(LlamaCpp(file), tokenizer, wanted)
    except RefusedError as error:
        difference = f"llama.cpp does not load what was written ({error})"
    if difference:
        raise UserError(f"nothing is exported: {difference}", FAILED)


def _proven(chosen: Chosen, wanted: list[proof.Expected], split: str, environment: str) -> str:
    count, tokens = len(wanted), sum(len(each.tokens) for each in wanted)
    refused = len(chosen.conversations) - count
    own = f"{chosen.own:,} of data/{environment}" if chosen.own else f"none of data/{environment}, which "
    own += "" if chosen.own else f"{command('data', environment)} prepares"
    return (
        f"{count:,} conversations are the same {tokens:,} tokens in llama.cpp (tokenizer {split}) as in the model's "
        f"own tokenizer: {own}, {chosen.general} general, {chosen.odd} odd"
        + (f"; {refused} more are refused by the model's template" if refused else "")
    )


def _readme(file: str, stem: str, request: dict[str, Any], made: bool) -> str:
    heat = request["temperature"] if request["do_sample"] else 0
    flags = f"--temp {heat} --top-p {request['top_p']} --top-k 0 --min-p 0 -n {request['max_new_tokens']}"
    small = file.replace(".gguf", f"-{QUANTIZED}.gguf")
    ollama_line = f"Ollama: `ollama create {stem.lower()} -f Modelfile`, then `ollama run {stem.lower()}`."
    if not made:
        ollama_line = "Ollama renders no Jinja and this model's template is not made of turns alone: check its answers."
    return (
        f"{stem}: a fine-tuned chat model, with its chat template, for llama.cpp (https://github.com/ggml-org/llama.cpp).\n"
        f"- In a terminal: `llama-cli -m {file} -cnv {flags}`, which answers as the endpoint did.\n"
        f"- As a server with OpenAI's API: `llama-server -m {file} --jinja`.\n"
        f"- {ollama_line}\n"
        f"- Smaller, and no longer proven to answer alike: `llama-quantize {file} {small} {QUANTIZED}`.\n"
    )


def say(head: str, text: str) -> None:
    """Prints a sentence behind a word that says what it is about."""
    print(terminal.wrapped(text, " " * 10, f"{head:<10}"))


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
