"""Archives: read whatever their name says, and never in part: what is cut off or damaged fails in a sentence."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from scripts.dataset.check_files import check_files
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from scripts.dataset.source import local
from scripts.errors import UserError
from tests.dataset.samples import PLAIN, ids, parquet, rows, run

TEXT = b"".join(json.dumps(row).encode() + b"\n" for row in rows(60))
HALVES = TEXT[: TEXT.index(b"\n", len(TEXT) // 2) + 1], TEXT[TEXT.index(b"\n", len(TEXT) // 2) + 1 :]
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def parquet_bytes(tmp_path: Path) -> bytes:
    return parquet(tmp_path / "made.parquet", rows(60), group=20).read_bytes()


def arrow_bytes() -> bytes:
    out = io.BytesIO()
    table = pa.Table.from_pylist(rows(60))
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table, max_chunksize=20)
    return out.getvalue()


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("name", ["a.jsonl.{}", "a.jsonl", "a.csv.{}"])
def test_every_compression_is_read_whatever_the_name(tmp_path: Path, kind: str, name: str) -> None:
    text = b"prompt,response\n" + b"".join(b"after %d?,It is.\n" % at for at in range(60)) if "csv" in name else TEXT
    path = tmp_path / name.format(kind)
    path.write_bytes(PACK[kind](text))
    run(path, tmp_path / "out")
    assert ids(tmp_path / "out") == set(range(60))


@pytest.mark.parametrize("kind", PACK)
def test_an_archive_of_several_members_is_read_to_its_end(tmp_path: Path, kind: str) -> None:
    (tmp_path / f"a.jsonl.{kind}").write_bytes(b"".join(map(PACK[kind], HALVES)))
    run(tmp_path / f"a.jsonl.{kind}", tmp_path / "out")
    assert ids(tmp_path / "out") == set(range(60))


def test_plain_text_that_is_called_an_archive_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(TEXT)
    run(tmp_path / "a.jsonl.gz", tmp_path / "out")
    assert ids(tmp_path / "out") == set(range(60))


ZIPS: dict[str, tuple[str, dict[str, bytes], dict[str, str], list[str]]] = {
    "one file": ("a.zip", {"chats.jsonl": TEXT}, {"a.zip/chats.jsonl": "chats"}, []),
    "called json lines": ("a.jsonl", {"chats.jsonl": TEXT}, {"a.jsonl/chats.jsonl": "chats"}, []),
    "shards": ("a.zip", dict(zip(("train-0.jsonl", "train-1.jsonl"), HALVES, strict=True)),
               {"a.zip/train-0.jsonl": "train", "a.zip/train-1.jsonl": "train"}, []),
    "splits, and what an archiver adds": (
        "a.zip", {"set/train.jsonl": TEXT, "set/test.csv": b"prompt,response\nafter 60?,It is.\n",
                  "__MACOSX/set/._train.jsonl": b"", "set/README.md": b"#", "set/.DS_Store": b""},
        {"a.zip/set/train.jsonl": "train", "a.zip/set/test.csv": "test"},
        ["a.zip/__MACOSX/set/._train.jsonl", "a.zip/set/README.md", "a.zip/set/.DS_Store"]),
    "packed twice": ("a.zip", {"a.jsonl.gz": gzip.compress(TEXT)}, {"a.zip/a.jsonl.gz": "a"}, []),
}  # fmt: skip


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_is_read_as_the_files_in_it(tmp_path: Path, name: str, method: int) -> None:
    called, members, expected, unused = ZIPS[name]
    (tmp_path / called).write_bytes(zipped(members, method))
    for source in (tmp_path / called, tmp_path):
        found = local(str(source))
        assert {file.label: split for split, files in found.splits.items() for file in files} == expected
        assert [each.label for each in found.unused] == unused
    if method == zipfile.ZIP_DEFLATED:
        run(tmp_path / called, tmp_path / "out", splits=PLAIN)
        assert ids(tmp_path / "out") - {60} == set(range(60))


REFUSED = {
    "a.zip": (
        zipped({"a.parquet": b"PAR1"}),
        "a.zip/a.parquet: a parquet file cannot be read inside a zip; unpack",
    ),
    "b.zip": (zipped({"notes.txt": b"hello"}), "b.zip: this zip holds no file of rows"),
    "c.csv": (zipped({"[Content_Types].xml": b"", "sheet.xml": b""}), "c.csv: is an Office document"),
    "d.tar.gz": (gzip.compress(b"rows"), "is a tar archive; unpack it"),
    "e.jsonl": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "pointer of Git LFS.*git lfs pull"),
    "f.jsonl": (b"<!DOCTYPE html>\n<html>", "is a web page, not the data"),
    "g.parquet.gz": (gzip.compress(b"PAR1"), "is a parquet file inside a gz archive; unpack it"),
    "h.jsonl": (b"SQLite format 3\0", "is an SQLite database"),
    "i.jsonl.gz": (b"\x1e\x8b\x08\0\0\0\0", "cut off or damaged .it does not begin as a gz archive does"),
    "j.zip": (b"PK\x03\x04" + b"\0" * 40, "j.zip: the archive is cut off or damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(REFUSED[name][0])
    with pytest.raises(UserError, match=REFUSED[name][1]):
        run(tmp_path / name, tmp_path / "out")


def outcome(path: Path, out: Path) -> dict[str, Any] | str:
    settings = from_values({"dataset": {"source": str(path), "splits": PLAIN, "max_left_out": 100}})
    try:
        return prepare(settings, out, say=lambda line: None, stream=None, force=True).manifest
    except UserError as error:
        return str(error)


def test_a_cut_never_passes_and_a_flipped_bit_is_named_or_harmless(tmp_path: Path) -> None:
    generator = random.Random(11)
    text = {name: (f"a.jsonl.{name}", pack(HALVES[0]) + pack(HALVES[1])) for name, pack in PACK.items()}
    whole = {
        **text, "zip": ("a.zip", zipped({"b.jsonl": TEXT})), "stored": ("a.zip", zipped({"b.jsonl": TEXT}, 0)),
        "parquet": ("a.parquet", parquet_bytes(tmp_path)), "arrow": ("a.arrow", arrow_bytes()),
    }  # fmt: skip
    boundary = {name: len(pack(HALVES[0])) for name, pack in PACK.items()}  # where a cut is a whole, shorter archive
    for kind, (name, data) in whole.items():
        path = tmp_path / kind / name
        path.parent.mkdir()
        for _ in range(13):
            cut = generator.randrange(1, len(data))
            path.write_bytes(data[:cut])
            found = outcome(path, tmp_path / "out")
            assert cut == boundary.get(kind) or (isinstance(found, str) and name in found), (kind, cut, found)
            flipped = bytearray(data)
            flipped[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
            path.write_bytes(flipped)
            found = outcome(path, tmp_path / "out")
            if isinstance(found, str):
                assert name in found or "dataset." in found, (kind, found)
            else:
                read = found["read"].values()
                assert all(each["in"] == each["kept"] + sum(each["dropped"].values()) for each in read)


@pytest.mark.parametrize("policy", ["drop", "fail"])
def test_a_cut_archive_fails_whatever_the_policies(tmp_path: Path, policy: str) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(TEXT)[:-20])
    words = r"a.jsonl.gz: the archive is cut off or damaged .*; copy or download it again"
    with pytest.raises(UserError, match=words):
        run(path, tmp_path / "out", checks={"json": policy}, max_left_out=100)
    with pytest.raises(UserError, match=words):
        check_files(from_values({"dataset": {}}), [str(path)], None)
    assert not list(tmp_path.glob("out/*"))


def test_a_cut_in_parquet_is_named(tmp_path: Path) -> None:
    data = parquet_bytes(tmp_path)
    (tmp_path / "a.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"a.parquet: cannot be read as Parquet"):
        run(tmp_path / "a.parquet", tmp_path / "out")
    pq.ParquetFile(tmp_path / "made.parquet").read()
