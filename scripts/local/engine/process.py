"""What trainer and scoring server are as processes: quiet, and at an end when the emulator says so or is gone."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import warnings
from importlib import import_module

from scripts.uncollected import uncollected

CANCELLED = 143  # 128 + SIGTERM, as shells number it


def end_on_terminate() -> None:
    """Turns SIGTERM into SystemExit, so that `finally` blocks run and nothing half-written keeps its final name."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(CANCELLED))


def end_with_parent() -> None:
    """Ends this process at once when stdin, a pipe that the parent holds open, is closed: the parent died."""
    kind = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return  # started by hand, from a terminal or with /dev/null

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def load() -> None:
    """Imports what reads, trains and serves a model; has to be called after `quieten`, and before any of it is used."""
    with uncollected():
        import_module("torch")
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        for name in ("AttentionInterface", "AutoConfig", "AutoModelForCausalLM", "AutoTokenizer", "PreTrainedModel"):
            getattr(import_module("transformers"), name)  # which imports them


def quieten() -> None:
    """Turns off the libraries' bars, warnings and network; has to be called before transformers is imported."""
    warnings.filterwarnings("ignore")
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TRANSFORMERS_VERBOSITY="error")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
