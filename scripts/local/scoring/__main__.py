"""`python -m scripts.local.scoring --model-dir DIR --port P --log FILE`: serves a model on 127.0.0.1."""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.conversation import answer, model_folder
from scripts.errors import FAILED, UserError, one_line
from scripts.local.engine import process, threads
from scripts.uncollected import uncollected

if TYPE_CHECKING:
    from scripts.local.scoring.app import Server


def main() -> int:
    """Serves until SIGTERM, and then answers what it has begun.

    Exit code 1, with a sentence in the log, when the folder holds no model that can answer.
    """
    parser = argparse.ArgumentParser(prog="python -m scripts.local.scoring", description=__doc__)
    parser.add_argument("--model-dir", type=Path, required=True, help="folder of an MLflow model, as the job wrote it")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--log", type=Path, required=True, help="file that a line per request is appended to")
    parser.add_argument("--max-batch", type=int, default=8, help="conversations answered at a time (default 8)")
    parser.add_argument(
        "--cache-mb", type=float, default=2048, help="memory for the conversations being answered (default 2048)"
    )
    parser.add_argument(
        "--drain", type=float, default=180, help="seconds for what is being answered at SIGTERM (default 180)"
    )
    parser.add_argument(
        "--answer-shape", choices=("auto", *answer.SHAPES), default="auto",
        help="shape of the answers (default auto: as Azure would serve this model)",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=0, help="threads to compute with (default: the free cores)")
    options = parser.parse_args()
    threads.tune(options.threads)
    process.end_with_parent()
    log = logger(options.log)
    if not (options.model_dir / model_folder.DESCRIPTION).is_file():  # before the imports, which take seconds
        log(f"error: {options.model_dir}: no file MLmodel, so this is not the folder of an MLflow model.")
        return FAILED
    process.quieten()
    with uncollected():
        import torch  # noqa: F401 - before the threads, of which one loads the model
    from scripts.local.scoring import llama

    try:
        if not llama.takes(options.model_dir):
            process.load()
    except UserError as error:
        log(f"error: {error}")
        return FAILED
    import uvicorn

    from scripts import slow_clients
    from scripts.local.scoring.app import Server
    from scripts.local.scoring.door import KEY_VARIABLE, Door

    shape, why = answer_shape(options.answer_shape, options.model_dir)
    log(f"answers are {answer.SHAPES[shape]}: {why}")
    logging.getLogger("asyncio").addFilter(slow_clients.TooManyOpen())
    server = Server(log, shape)
    threading.Thread(target=load, args=(server, options, log), name="loader", daemon=True).start()
    uvicorn.run(
        Door(server.application(), os.environ.pop(KEY_VARIABLE, "")),
        host="127.0.0.1",
        port=options.port,
        log_level="critical",
        access_log=False,
        lifespan="off",
        http=slow_clients.Protocol,
        timeout_graceful_shutdown=math.ceil(options.drain),
    )
    return 0


def answer_shape(wanted: str, folder: Path) -> tuple[str, str]:
    """Returns the shape of the answers and why: the setting's, else what the training wrote into MLmodel."""
    if wanted != "auto":
        return wanted, "by the setting serving.answer_shape"
    written = model_folder.metadata(folder).get("serving") or {}
    if written.get("answers") in answer.SHAPES:
        return written["answers"], str(written.get("because"))
    return answer.OUTPUT, "unverified: the model does not say how Azure would serve it"


def load(server: Server, options: argparse.Namespace, log: Callable[[str], None]) -> None:
    """Loads the model and answers one token, then lets the server be healthy; ends the process if that fails."""
    begun = time.monotonic()
    try:
        from scripts.local.scoring.batcher import Batcher
        from scripts.local.scoring.contract import Parameters
        from scripts.local.scoring.generator import Generator

        generator = Generator(options.model_dir, options.max_batch, threads.Follower(options.threads), options.cache_mb)
        # The scorer leaves a system prompt to the template, whatever the finetune config says of it.
        generator.system_role_supported |= server.shape != answer.OUTPUT
        generator.add(generator.prepare([{"role": "user", "content": "Hello"}], Parameters(max_new_tokens=1)))
        generator.step()
        server.batcher = Batcher(generator, log).start()
    except UserError as error:
        log(f"error: {error}")
        os._exit(FAILED)
    except Exception as error:  # a model that does not load cannot be served; uvicorn would go on without it
        log(f"error: the model does not load: {type(error).__name__}: {one_line(error)}")
        os._exit(FAILED)
    log(
        f"model ready after {time.monotonic() - begun:.1f} s: up to {options.max_batch} conversations at a time, of "
        f"{generator.cache.tokens} tokens together in {options.cache_mb:g} MB"
    )


def logger(path: Path) -> Callable[[str], None]:
    """Returns a function that appends a line with the time to the log file; on a full disk it waits for the next."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a", encoding="utf-8", buffering=1)

    def log(line: str) -> None:
        with contextlib.suppress(OSError):  # the full disk of a log is no reason not to answer
            file.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {line}\n")

    return log


if __name__ == "__main__":
    sys.exit(main())
