"""`python second_user.py`: becomes another user and prints, as JSON, what that one can read, ask or change here.

Standard input says what there is: files, processes, ports and the secrets. Only the standard library, all of it loaded
before the change, as the other user may not enter this project's folders.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - http.client would look for it later
import http.client
import json
import os
import sys
from pathlib import Path

NOBODY = 65534
GUESS = "dXNlcjpndWVzcw=="  # a key that nobody has given out
REFUSED = (400, 401, 403, 405, 407, 421, 501)  # no such method, no such key, no such page


def files(paths: list[str]) -> list[str]:
    """Returns the files that can be read or written, and the folders that can be entered."""
    ways = (os.R_OK, os.W_OK, os.X_OK)
    return [f"file {path}" for path in paths for way in ways if os.access(path, way, effective_ids=True)]


def processes(pids: list[int], secrets: list[str]) -> list[str]:
    """Returns the processes that show a secret, or what is theirs alone."""
    found = []
    for pid in pids:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        found += [f"a secret on the command line of {line!r}" for secret in secrets if secret in line]
        for name in ("environ", "fd", "cwd", "mem"):
            path = Path(f"/proc/{pid}/{name}")
            try:
                list(path.iterdir()) if name in ("fd", "cwd") else path.open("rb").close()
                found.append(f"{path} of {line!r}")
            except PermissionError:
                pass
    return found


def ports(numbers: list[int], paths: list[str]) -> list[str]:
    """Returns what a port answers to who knows its number, and what programs say to it, but no key."""
    found = []
    bearer = {"Authorization": f"Bearer {GUESS}", "x-local-key": GUESS, "x-identity-header": GUESS}
    basic = {"Proxy-Authorization": f"Basic {GUESS}", "Authorization": f"Basic {GUESS}"}
    for number in numbers:
        for headers in ({}, bearer, basic, {"Host": "management.azure.com", **bearer}, {"Host": f"localhost:{number}"}):
            for method, path in [(method, path) for method in ("GET", "POST", "PUT") for path in paths] + [
                ("CONNECT", "management.azure.com:443"),
                ("CONNECT", "login.microsoftonline.com:443"),
            ]:
                connection = http.client.HTTPConnection("127.0.0.1", number, timeout=10)
                connection.request(method, path, body=b"{}" if method in ("POST", "PUT") else None, headers=headers)
                status = connection.getresponse().status
                connection.close()
                if status not in REFUSED:
                    found.append(f"{method} {path} on {number} with {sorted(headers)}: {status}")
    return found


def main() -> None:
    """Reads what there is as the first user, and looks at it as the second."""
    there = json.load(sys.stdin)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    assert os.access(there["open"], os.X_OK), "the folder around the home can be entered"
    found = files(there["files"]) + processes(there["processes"], there["secrets"])
    found += ports(there["ports"], there["paths"])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
