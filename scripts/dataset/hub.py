"""The Hugging Face hub: lists a data set's files at one commit, and reads byte ranges of them, never more."""

from __future__ import annotations

import io
import os
from functools import partial
from typing import Any

from scripts.dataset.file import File, Unused, kind_of, not_read
from scripts.dataset.source import Source
from scripts.dataset.split_names import folder_of, split_of
from scripts.deadline import within
from scripts.errors import UNREACHABLE, UserError

CONNECT_SECONDS = 5
ANSWER_SECONDS = 12  # to the one question what files there are
READ_SECONDS = 60
CONVERTED = "refs/convert/parquet"  # the hub's own Parquet copy of sets in other formats


class Unreachable(UserError):
    """The hub did not answer; a fallback may take its place."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, UNREACHABLE)


def hub(repository: str, revision: str, subset: str | None) -> Source:
    """Lists the data files of a hub data set. `Unreachable` within seconds where the hub does not answer."""
    info = _info(repository, revision)
    splits, unused = _splits(repository, info, subset)
    notes = []
    if not splits and revision != CONVERTED:
        info = _info(repository, CONVERTED)
        splits, unused = _splits(repository, info, subset)
        notes.append(f"{repository} holds no file that can be read row by row: the hub's Parquet copy of it is read")
    if not splits:
        where = f" under '{subset}'" if subset else ""
        raise UserError(f"dataset.source: {repository}@{revision}: no data file{where}; set dataset.subset or revision")
    identity = {"kind": "hub", "repository": repository, "commit": info.sha, "subset": subset}
    return Source(repository, "hub", splits, identity, notes=notes, unused=unused)


def _info(repository: str, revision: str) -> Any:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise Unreachable(f"dataset.source: {repository}: HF_HUB_OFFLINE is set, so the hub is not asked")
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        return within(ANSWER_SECONDS, partial(HfApi().dataset_info, repository, revision=revision, files_metadata=True,
                                               timeout=CONNECT_SECONDS))  # fmt: skip
    except GatedRepoError:
        raise UserError(
            f"dataset.source: {repository} is gated; accept its terms on "
            f"{constants.ENDPOINT}/datasets/{repository} and set HF_TOKEN"
        ) from None
    except RepositoryNotFoundError:
        raise UserError(
            f"dataset.source: the hub has no data set '{repository}', or it is private; check the spelling, "
            "or set HF_TOKEN"
        ) from None
    except RevisionNotFoundError:
        raise UserError(f"dataset.revision: {repository} has no revision '{revision}'") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no"
        raise Unreachable(f"dataset.source: {repository}: the hub answered {status}") from None
    except Exception as error:  # the HTTP library's own exceptions: no name, refused, timed out, TLS
        where = f"dataset.source: {repository}: {constants.ENDPOINT}"
        raise Unreachable(f"{where} cannot be reached ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _splits(repository: str, info: Any, subset: str | None) -> tuple[dict[str, list[File]], list[Unused]]:
    """Sorts the repository's data files into splits; `subset` is a folder in it, as the hub lays subsets out."""
    splits: dict[str, list[File]] = {}
    unused = []
    for sibling in info.siblings:
        label = sibling.rfilename
        form, compression = kind_of(label)
        reason = not_read(label)
        if not reason and subset and subset not in label.split("/")[:-1]:
            reason = f"not of dataset.subset '{subset}'"
        if reason:
            unused.append(Unused(label, reason))
        else:
            opener: Any = partial(RangeFile, repository, label, info.sha, sibling.size)
            file = File(label, label, sibling.size, str(form), compression, opener, remote=True)
            splits.setdefault(split_of(label), []).append(file)
    for split, files in splits.items():  # subsets are not read as one: the same split in several folders
        folders = {folder_of(file.label) for file in files}
        if len(folders) > 1 and not subset:
            names = sorted(folder.rpartition("/")[2] or "." for folder in folders)
            raise UserError(
                f"dataset.subset: {repository} has the split '{split}' in several folders "
                f"({', '.join(names[:8])}); name one"
            )
    return splits, unused


class RangeFile(io.RawIOBase):
    """A file of the hub as a seekable stream: every read is one HTTP range request.

    huggingface_hub's HfFileSystem fetches the same bytes (measured: 6.36 of 52 MB for 5 % of a set of Parquet files,
    2.70 of 10.8 MB for 20 % of JSON Lines) by twice as many requests, since it looks a file up anew before each range,
    and it takes the whole file for the range where a server does not know ranges.
    """

    def __init__(self, repository: str, name: str, commit: str, size: int) -> None:
        from huggingface_hub import hf_hub_url

        self._url = hf_hub_url(repository, name, repo_type="dataset", revision=commit)
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Always: this is what the file is for."""
        return True

    def seekable(self) -> bool:
        """Always: a seek costs nothing until the next read."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a byte and returns it."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def tell(self) -> int:
        """Returns the current byte."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fills `buffer` from the current byte; returns how many bytes came, 0 at the end."""
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff

        span = f"{self._at}-{self._at + wanted - 1}"
        headers = {**build_hf_headers(), "range": f"bytes={span}"}
        try:
            reply = http_backoff("GET", self._url, headers=headers, timeout=READ_SECONDS, max_retries=3)
            hf_raise_for_status(reply)
        except Exception as error:
            raise Unreachable(f"{self._url}: bytes {span} did not arrive ({_reason(error)}); run it again") from None
        data = reply.content
        if reply.status_code != 206 and len(data) != wanted:
            raise Unreachable(f"{self._url}: the server does not answer range requests (status {reply.status_code})")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
