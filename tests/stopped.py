"""A process that is stopped before one of its requests, as a person, a system or a crash would stop it."""

import fcntl
import os
import signal
from collections.abc import Callable

import requests

PLACES = 9999  # more than anything here has requests


def _stop_at(at: int, seen: int, number: int) -> None:
    """Counts the requests of this process and its copies in a file, a byte each, and stops all of them before one."""
    send = requests.Session.send

    def counted(session, request, **options):
        os.write(seen, b".")
        count = os.fstat(seen).st_size
        if count == at or (count > at and number == signal.SIGKILL):  # whoever hears it has requests of his own to make
            os.killpg(0, number)
        return send(session, request, **options)

    requests.Session.send = counted


def stopped(work: Callable[[], int], at: int, number: int = signal.SIGKILL) -> tuple[int, int]:
    """Works in a process that is stopped before its request number `at`; returns its exit code and its requests."""
    seen = os.memfd_create("requests", os.MFD_CLOEXEC)
    os.set_inheritable(seen, True)
    fcntl.fcntl(seen, fcntl.F_SETFL, os.O_APPEND)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _stop_at(at, seen, number)
            code = work()
        except KeyboardInterrupt:
            code = 130
        finally:
            os._exit(code)
    code, many = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.fstat(seen).st_size
    os.close(seen)
    return code, many
