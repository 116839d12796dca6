"""Reads conversations from the formats that the component takes, one row at a time, with where each row stands."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.azure.component_rules import FORMATS
from scripts.errors import UserError


def read(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields ("train.jsonl:12", row) for every row; a `UserError` names the place of what cannot be read."""
    readers = {".jsonl": _jsonl, ".txt": _jsonl, ".json": _json, ".csv": _table, ".tsv": _table, ".parquet": _parquet}
    if path.is_dir():  # an MLTable, or a folder of files
        for part in _parts(path):
            yield from read(part)
        return
    try:
        yield from readers[path.suffix](path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name}: not UTF-8 at byte {error.start}; save the file as UTF-8.") from None


def _jsonl(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{path.name}:{number}"
            if line.strip():
                yield where, _object(where, _parse(where, line))


def _json(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    content = path.read_text(encoding="utf-8")
    if not content.lstrip().startswith("["):  # pandas and datasets write JSON lines under this name too
        yield from _jsonl(path)
        return
    for number, row in enumerate(_parse(path.name, content), 1):
        yield f"{path.name}[{number}]", _object(f"{path.name}[{number}]", row)


def _table(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ","), 2):
            where = f"{path.name}:{number}"
            cells = {name: row[name] for name in ("messages", "tools") if name in row}
            yield where, {name: _parse(f"{where}: {name}", cell) if cell else None for name, cell in cells.items()}


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
        columns = [name for name in ("messages", "tools") if name in table.schema_arrow.names]
        batches = table.iter_batches(columns=columns)
        for number, row in enumerate((row for batch in batches for row in batch.to_pylist()), 1):
            yield f"{path.name} row {number}", row
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{path.name}: not a parquet file ({error}).") from None


def _parts(folder: Path) -> list[Path]:
    """Returns the data files of an MLTable (its `paths`), or of a plain folder."""
    table = folder / "MLTable"
    if not table.exists():
        found = sorted(path for path in folder.iterdir() if path.suffix in FORMATS)
        if not found:
            raise UserError(f"{folder}: holds neither an MLTable nor a file that ends in {', '.join(FORMATS)}.")
        return found
    import yaml

    content = yaml.safe_load(table.read_text(encoding="utf-8")) or {}
    patterns = [entry.get("file") or entry.get("pattern") for entry in content.get("paths", [])]
    parts = [path for pattern in patterns if pattern for path in sorted(folder.glob(pattern.removeprefix("./")))]
    if not parts:
        raise UserError(f"{table}: paths names no file in this folder; give `- file: ./train.jsonl`.")
    return parts


def _parse(where: str, content: str) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise UserError(f"{where}: not JSON ({error}).") from None


def _object(where: str, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise UserError(f'{where}: found {type(row).__name__}; a row is an object such as {{"messages": [...]}}.')
    return row
