"""What a person reads on the terminal after `prepare` and `check`, or the same as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SHOWN = 5  # examples of a check
_SIGNS = {"pass": "ok  ", "warn": "warn", "fail": "FAIL"}


def verdict(result: dict[str, Any], form: str) -> None:
    """Prints the outcome of `check`."""
    if form == "json":
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return
    for split, rows in result["rows"].items():
        print(f"{split}: {_counts(rows)}")
    _checks(result["checks"])
    for split, tokens in result["tokens"]["splits"].items():
        print(f"{split}: {_tokens(tokens)}")
    _counted_with(result["tokens"])
    words = {"pass": "passed: nothing was found", "warn": "passed, with warnings", "fail": "failed"}
    print(words[result["status"]])


def manifest(result: dict[str, Any], folder: Path, form: str) -> None:
    """Prints the outcome of `prepare`."""
    if form == "json":
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return
    for split, read in result["read"].items():
        print(f"{split}: {_counts(read)} ({read['how']})")
    _checks(result["checks"])
    failed = result["status"] == "fail"
    for part, file in result["files"].items():
        line = f"{part:<10} {file['rows']:>9,} rows {file['bytes'] / 1e6:>9,.1f} MB"
        print(f"{line}  {_tokens(file['tokens'])}" if "tokens" in file else line)
    _counted_with(result["tokens"])
    if failed:
        names = ", ".join(check["name"] for check in result["checks"] if check["status"] == "fail")
        print(f"failed: {names} found rows, and the policy in dataset.checks is fail; nothing was written to {folder}")
    else:
        print(f"version {result['version']}; report: {folder / 'report.html'}")


def _counted_with(tokens: dict[str, Any]) -> None:
    if tokens["counted_with"]:  # nothing is counted where no row is left
        print(f"lengths counted with: {tokens['counted_with']}")


def _checks(checks: list[dict[str, Any]]) -> None:
    for check in checks:
        if not check["count"]:
            continue
        about = "about " if check["estimated"] else ""
        done = {"drop": "left out", "keep": "kept", "fail": "not allowed"}[check["policy"]]
        print(f"{_SIGNS[check['status']]} {check['name']}: {check['title']}, {about}{check['count']:,} ({done})")
        for example in check["examples"][:SHOWN]:
            path = f" {example['path']}" if example["path"] else ""
            print(f"       {example['file']} {example['row']}{path}: found {example['found']}, "
                  f"expected {example['expected']}")  # fmt: skip
        print(f"       to fix: {check['examples'][0]['fix']}")


def _counts(rows: dict[str, Any]) -> str:
    dropped = ", ".join(f"{name} {count:,}" for name, count in sorted(rows["dropped"].items()))
    left = sum(rows["dropped"].values())
    return f"{rows['in']:,} rows in, {rows['kept']:,} kept, {left:,} left out" + (f" ({dropped})" if dropped else "")


def _tokens(tokens: dict[str, Any]) -> str:
    about = "" if tokens["how"] == "exact" else f" ± {tokens['error']:,}"
    text = f"{tokens['tokens']:,}{about} tokens, {tokens['trained']:,} trained"
    cut = tokens.get("cut")
    if cut and cut["too_long"]["rows"]:
        text += f"; {cut['too_long']['rows']:,} rows over {cut['max_seq_length']:,}"
        text += f", {cut['trained_lost']:,} trained tokens cut"
    return text
