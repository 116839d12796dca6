"""`python -m scripts.export`: takes a tuned model home, as a GGUF file that is proven in llama.cpp, with a Modelfile.

A model that has no place in such a file becomes a folder of transformers, and the last line says why.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts import promote
from scripts.errors import main
from scripts.evaluate import model_version
from scripts.values.read import add_arguments, from_arguments

FORMATS = ("gguf", "huggingface")


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.export", description=__doc__)
    add_arguments(parser)
    model_version.add_arguments(parser)
    parser.add_argument("--stand-in", action="store_true", help="the run's own version where the lock's is not there")
    parser.add_argument("--result", type=Path, metavar="FOLDER", help="where to (default: export in the run's state)")
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="default: gguf, where that can be")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    from scripts.azure import client as client_module
    from scripts.evaluate import model_files
    from scripts.export import bundle

    client = client_module.connect(values)
    version = options.model_version or promote.to_deploy(options, values, client)
    meant = model_version.registered(client, model_version.name(values), str(version))
    bundle.say("model", f"{meant.name}:{meant.version}" + f" of job {meant.job}" * bool(meant.job))
    found = model_files.tuned(client, meant.name, meant.version, meant.folder)
    result = options.result or (options.folder or meant.folder) / "export"
    bundle.export(values, meant, found.folder, result, gguf=options.format == FORMATS[0])
    return 0


if __name__ == "__main__":
    main(run)
