"""An exported file in llama.cpp, asked what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def llama_cpp(file: Path, context: int = 256) -> Any:
    """Returns llama.cpp with a file, its cache in float32: only the order of sums differs from transformers then."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx, parameters.n_parallel, parameters.cache_ram_mib = context, 1, 0
    parameters.verbosity, parameters.warmup, parameters.fit_params = -1, False, False
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    return xllamacpp.Server(parameters)


def following(llama: Any, prompt: list[int], tokens: int, shown: int) -> list[dict[int, float]]:
    """Returns for each token of the likeliest answer the `shown` likeliest tokens with their log-probabilities.

    The answer's own token is the first of them.
    """
    asked = {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "logprobs": shown, "cache_prompt": False}
    said = llama.handle_completions(asked)["choices"][0]["logprobs"]["content"]
    return [{each["id"]: each["logprob"] for each in step["top_logprobs"]} for step in said]
