"""The libraries that compute, kept quiet and off the network; what a user should know is in the log."""

from __future__ import annotations

import os
import warnings


def quieten() -> None:
    """Turns off bars, warnings and the network; has to be called before transformers is imported."""
    warnings.filterwarnings("ignore")
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TRANSFORMERS_VERBOSITY="error")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
