"""`python -m tests.bench.gpu`: the engine on one GPU, beside transformers.Trainer + PEFT and what preflight estimates.

Two models with random weights, since neither speed nor memory depends on them: the demo's shape, and Phi-3-mini's. Rows
are the demo's, and rows of 1,000 to 2,000 tokens that are joined from them. Every figure comes from a process of its
own and is printed when it is known; what matters most comes first, and `--seconds` bounds the whole.

  of peak    model arithmetic (4 N and the attention, nothing computed again, no padding) over the best matrix rate
  allocated  the most that tensors took; reserved: the most that PyTorch's allocator held; card: what the card lost
  preflight  the estimates for this card, model and batch, from scripts/estimate as preflight asks it
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.azure import component, machine_sizes, model_shapes
from scripts.azure.machine_sizes import Card
from scripts.azure.model_shapes import Shape
from scripts.conversation.tokens import Encoded
from scripts.errors import FAILED, UserError, main, one_line
from scripts.estimate import memory, training_step
from scripts.estimate import time as estimated_time
from tests.bench import training

DEMO, PHI = "SmolLM2-135M-Instruct", "Phi-3-mini-4k-instruct"
CARDS = {"H100 80GB HBM3": "H100 80GB SXM", "H200": "H200 141GB SXM", "A100-SXM4-80GB": "A100 80GB SXM"}
LONG, SHORTER = (1000, 2000), (100, 200)  # tokens; the latter to try this out
WARM, STEPS = 3, 7
EACH = 120.0  # seconds that a measurement may take, with a first import from a cold disk
PLAIN, PACKED, VARLEN = "Trainer + PEFT", "engine", "engine varlen"
SHOWN = 6  # rows on which loss and gradient are compared


@dataclass(frozen=True)
class Run:
    """One measurement: which stack trains which model on which rows."""

    model: str
    long: bool
    batch: int
    stack: str
    recompute: bool = False  # gradient checkpointing; the engine's jobs never ask for it
    pass_tokens: int | None = None

    @property
    def case(self) -> tuple[str, bool, int]:
        """What runs have in common that stand in one table."""
        return self.model, self.long, self.batch

    @property
    def name(self) -> str:
        """What stands before its figures."""
        more = "recomputed" if self.recompute else f"{self.pass_tokens} a pass" if self.pass_tokens else ""
        return f"{self.stack}, {more}" if more else self.stack


def _runs(best: str) -> Iterator[Run]:
    """Every measurement, the most important ones first; the last ones fill a card of 80 GiB, or do not fit it.

    `best` is the engine with variable-length attention, or as it is where that does not run.
    """
    engines = dict.fromkeys((PACKED, best))
    for stack, recompute in ((PACKED, False), (PLAIN, False), (PLAIN, True), (best, True)):
        yield Run(PHI, True, 2, stack, recompute)
    yield from (Run(PHI, True, 2, stack) for stack in engines if stack != PACKED)
    for model, batch in ((DEMO, 128), (PHI, 32)):
        yield from (Run(model, False, batch, stack) for stack in (*engines, PLAIN))
        yield Run(model, False, batch, PLAIN, recompute=True)
    yield from (Run(DEMO, False, 8, stack) for stack in (*engines, PLAIN))
    yield Run(PHI, True, 8, PLAIN, recompute=True)
    yield Run(PHI, True, 8, best, pass_tokens=4096)
    yield Run(PHI, True, 8, best)
    yield Run(PHI, True, 8, PLAIN)


def command() -> int:
    """Measures and prints a table for each model, kind of rows and batch."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="narrow models of two layers: to try this out on a CPU")
    parser.add_argument("--card", help="the GPU that preflight estimates for (default: the one that is found)")
    parser.add_argument("--rows", type=Path, help="the demo's rows as tokens; written there where no such file is")
    parser.add_argument("--json", type=Path, help="writes every figure there, after each measurement")
    parser.add_argument("--seconds", type=float, default=345.0, help="begins nothing that could end later")
    parser.add_argument("--part", help=argparse.SUPPRESS)  # a measurement, in its own process
    options = parser.parse_args()
    if options.part:
        print(json.dumps(_part(options, json.loads(options.part))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        options.rows = options.rows or Path(folder) / "rows.json"
        if not options.rows.exists():
            _write_rows(options.rows)
        return Bench(options).measure()


class Bench:
    """All measurements, what they found, and the table that grows with them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.ends = time.monotonic() + options.seconds
        self.found: dict[str, Any] = {"runs": []}
        self.failed = False

    def measure(self) -> int:
        """Measures what time allows; exit code 1 if something failed."""
        machine = self.found["machine"] = self.part({"kind": "machine"})
        self.keep()
        if "failed" in machine:
            raise UserError(machine["failed"])
        card = self.options.card or next((CARDS[name] for name in CARDS if name in machine["device"]), "")
        self.card = machine_sizes.cards().get(card)
        print(f"{machine['device']}, torch {machine['torch']}, transformers {machine['transformers']}; "
              f"best matrix rate {machine['rate'] / 1e12:.3g} TFLOP/s (bf16)")  # fmt: skip
        print(f"estimates for {card or 'no card: name one of the catalog with --card'}")
        same = self.found["same"] = self.part({"kind": "same"})
        self.keep()
        _print_same(same)
        case = None
        for run in _runs(VARLEN if isinstance(same.get(VARLEN), list) else PACKED):
            if run.case != case:
                case = run.case
                self.head(run)
            self.one(run, machine["rate"])
        return FAILED if self.failed else 0

    def part(self, what: dict[str, Any]) -> Any:
        """Returns what a measurement found, or why it found nothing."""
        left = self.ends - time.monotonic()
        if left < 5:
            return {"failed": "no time left"}
        options, words = self.options, ["--device", self.options.device, "--rows", str(self.options.rows)]
        words += ["--tiny"] if options.tiny else []
        begun = time.monotonic()
        try:
            found = training.apart("tests.bench.gpu", [*words, "--part", json.dumps(what)], min(EACH, left))
        except UserError as error:
            self.failed = True
            return {"failed": str(error), "wrote": str(getattr(error.__cause__, "stderr", ""))[-4000:]}
        return {**found, "took": round(time.monotonic() - begun, 1)}

    def head(self, run: Run) -> None:
        """Prints what the runs of a table have in common."""
        lengths = [len(row.ids) for row in _rows(self.options, run.long, 1)]
        print(f"\n{run.model}, {run.batch} rows a step of {min(lengths)} to {max(lengths)} tokens")
        print(f"{'':<27}{'':>8}{'of':>5}{'GiB':>7}{'':>14}{'preflight':>17}")
        print(
            f"{'':<27}{'tok/s':>8}{'peak':>5}{'alloc.':>7}{'reserved':>9}{'card':>5}{'GiB':>7}{'tok/s':>10}", flush=True
        )

    def one(self, run: Run, rate: float) -> None:
        """Measures one stack, prints its line and keeps it."""
        rows, shape = _rows(self.options, run.long, 1), _shape(run.model, self.options.tiny)
        found = self.part({"kind": "run", **dataclasses.asdict(run)})
        found["preflight"] = _preflight(shape, self.card, rows, run) if self.card else {}
        if "failed" not in found:
            mean = sum(len(row.ids) for row in rows) / len(rows)
            flops = estimated_time.flops_per_token(shape, mean, full=False, checkpointing=False)
            found["share"] = found["typical_tokens_per_second"] * flops / rate
        self.found["runs"].append({**dataclasses.asdict(run), **found})
        self.keep()
        print(_line(run.name, found), flush=True)

    def keep(self) -> None:
        """Writes what is known by now."""
        if self.options.json:
            self.options.json.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")


def _line(name: str, found: dict[str, Any]) -> str:
    estimate = found["preflight"]
    last = f"{estimate['gib']:>7.1f}{estimate['tokens_per_second']:>10,.0f}" if estimate else ""
    if "failed" in found:
        return f"{name:<27}{found['failed'][:34]:<34}{last}"
    gib = [found.get(key) for key in ("allocated_gib", "reserved_gib", "card_gib")]
    sizes = ["-" if each is None else f"{each:.1f}" for each in gib]
    return (f"{name:<27}{found['typical_tokens_per_second']:>8,.0f}{found['share']:>5.0%}"
            f"{sizes[0]:>7}{sizes[1]:>8}{sizes[2]:>6}{last}")  # fmt: skip


def _print_same(same: dict[str, Any]) -> None:
    print("\nThe same arithmetic? Distance from transformers in fp32, on rows of the demo:")
    for name, found in same.items():
        if isinstance(found, list):
            print(f"  {name:<22} loss {found[0]:.2%}, gradient {found[1]:.2%}")
        elif name in ("failed", VARLEN):
            print(f"  {name:<22} {found}")
    sys.stdout.flush()


def _preflight(shape: Shape, card: Card, rows: list[Encoded], run: Run) -> dict[str, Any]:
    """Returns memory and rate as preflight estimates them: the likely hours, of one row more and one row less."""
    lengths = [len(row.ids) for row in rows]
    given = component.catalog().native(
        {"apply_lora": "true", "lora_r": training.LORA["lora_r"], "lora_dropout": 0, "precision": "16",
         "apply_deepspeed": "false", "per_device_train_batch_size": run.batch, "number_of_gpu_to_use_finetuning": 1}
    )  # fmt: skip
    step = training_step.step(given, shape, card, max(lengths), run.recompute)
    estimate = memory.estimate(step)
    full = len(lengths) // run.batch * run.batch
    work = estimated_time.Work(rows=full, tokens=sum(lengths[:full]), epochs=1)
    none = dataclasses.replace(work, epochs=0)
    hours = [estimated_time.hours(step, card, each).likely for each in (work, none)]
    return {
        "gib": estimate.total / memory.GIB,
        "tokens_per_second": work.tokens / ((hours[0] - hours[1]) * 3600),
        "terms": dict(estimate.rows()),
        "sequence": step.sequence,
    }


def _write_rows(path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    from scripts.local.engine import smollm2

    rows = training.demo_rows(PreTrainedTokenizerFast.from_pretrained(smollm2.tokenizer()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([[row.ids, list(map(int, row.trained))] for row in rows]) + "\n", encoding="utf-8")


def _rows(options: argparse.Namespace, long: bool, vocabulary: int) -> list[Encoded]:
    """Returns the demo's rows, or longer ones made of them; every token is one of the vocabulary."""
    read = json.loads(options.rows.read_text(encoding="utf-8"))
    rows = [Encoded([token % vocabulary for token in ids], list(map(bool, trained))) for ids, trained in read]
    if not long:
        return rows
    draw, joined = random.Random(0), []
    for _ in range(128):
        length = draw.randint(*(SHORTER if options.tiny else LONG))
        ids: list[int] = []
        trained: list[bool] = []
        while len(ids) < length:
            row = draw.choice(rows)
            ids, trained = ids + row.ids, trained + row.trained
        joined.append(Encoded(ids, trained).cut(length))
    return joined


def _shape(name: str, tiny: bool) -> Shape:
    shape = model_shapes.find(name)
    assert shape, name
    small = {"layers": 2, "hidden": 8 * shape.heads, "head_dim": 8, "intermediate": 128, "vocabulary": 512}
    return dataclasses.replace(shape, **small) if tiny else shape


def _model(shape: Shape, device: str, attention: str, dtype: Any) -> Any:
    """Returns a model of this shape with random weights, made where it trains."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        shape.model_type, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        vocab_size=shape.vocabulary, max_position_embeddings=shape.context, tie_word_embeddings=shape.tied,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
    assert model.num_parameters() == shape.parameters, (model.num_parameters(), shape.parameters)
    model.config.use_cache = False
    return model


def _part(options: argparse.Namespace, what: dict[str, Any]) -> dict[str, Any]:
    import torch
    import transformers

    kind, device = what.pop("kind"), options.device
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("PyTorch finds no GPU here; --device cpu --tiny tries the program out without one.")
    if kind == "machine":
        name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
        return {"device": name, "torch": torch.__version__, "transformers": transformers.__version__,
                "rate": training.matrix_rate(device)}  # fmt: skip
    if kind == "same":
        return _same(options)
    return _train(options, Run(**what))


def _train(options: argparse.Namespace, run: Run) -> dict[str, Any]:
    import torch

    from scripts.local.engine import attention

    shape, device = _shape(run.model, options.tiny), options.device
    rows, clock = _rows(options, run.long, shape.vocabulary), training.Clock(device, WARM)
    how = {PLAIN: "sdpa", PACKED: attention.PER_ROW, VARLEN: attention.ONE_CALL}[run.stack]
    model = _model(shape, device, how, torch.bfloat16)
    if run.stack == PLAIN:
        found: dict[str, Any] = dict(training.by_trainer(model, rows, run.batch, STEPS, clock, run.recompute))
    else:
        if run.recompute:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        found = dict(training.by_engine(model, rows, run.batch, STEPS, clock, run.pass_tokens))
    if device == "cuda":
        free, whole = torch.cuda.mem_get_info()
        gib = {"allocated_gib": torch.cuda.max_memory_allocated(), "reserved_gib": torch.cuda.max_memory_reserved(),
               "card_gib": whole - free, "whole_card_gib": whole}  # fmt: skip
        found |= {name: size / memory.GIB for name, size in gib.items()}
    return {**found, "rates": clock.rates}


def _same(options: argparse.Namespace) -> dict[str, Any]:
    """Returns how far loss and gradient of each stack in bf16 are from transformers in fp32, with the same weights."""
    import torch
    import torch.nn.functional as F

    from scripts.local.engine import attention, lora, packed

    shape = _shape(DEMO, options.tiny)
    rows = _rows(options, False, shape.vocabulary)[:SHOWN]

    def run(how: str, dtype: Any, weights: Any = None) -> tuple[float, torch.Tensor, Any]:
        model = _model(shape, options.device, how, dtype)
        lora.add_adapters(model, training.LORA, r".*\.layers\..*_proj")
        if weights:
            model.load_state_dict(weights)
        else:
            for name, weight in model.named_parameters():
                if "lora_B" in name:  # zeros, which would leave the other half without a gradient
                    torch.nn.init.normal_(weight, std=0.02)
        kept = copy.deepcopy(model.state_dict())
        if how == "sdpa":
            loss: Any = 0.0
            for row in rows:
                ids = torch.tensor(row.ids, device=options.device)
                goals = torch.where(torch.tensor(row.trained, device=options.device), ids, -100)
                logits = model(input_ids=ids[None]).logits[0, :-1].float()
                loss = loss + F.cross_entropy(logits, goals[1:], reduction="sum")
        else:
            loss = packed.trained_loss(model, rows, 1.0)
        loss.backward()
        gradient = [w.grad.float().flatten() for w in model.parameters() if w.grad is not None]
        return loss.item(), torch.cat(gradient), kept

    _, _, weights = run("sdpa", torch.bfloat16)
    truth, slope, _ = run("sdpa", torch.float32, weights)
    found: dict[str, Any] = {}
    for name, how in (("transformers, bf16", "sdpa"), (PACKED, attention.PER_ROW), (VARLEN, attention.ONE_CALL)):
        try:
            loss, gradient, _ = run(how, torch.bfloat16, weights)
        except (RuntimeError, NotImplementedError, TypeError, ImportError) as error:
            found[name] = f"does not run: {one_line(error)[:38]}…"
            continue
        found[name] = [abs(loss / truth - 1), ((gradient - slope).norm() / slope.norm()).item()]
    return found


if __name__ == "__main__":
    main(command)
