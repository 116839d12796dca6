"""A fake of scripts.local.scoring for tests of the gateway: answers with what it was asked and by which model.

`parameters` of a request may hold `status` (answer with it), `sleep` (seconds before answering), `exit` (end the
process) or `events` (texts of a streamed answer; a number is a pause in seconds, null ends the process). SIGTERM drains
as the real one does: nobody listens any more, what runs is answered. SIGUSR1 ends it as the kernel ends a large
process: for half a second it still takes connections, and drops them. The variables FAKE_SCORING_CRASH and
FAKE_SCORING_NEVER_READY make a start fail; FAKE_SCORING_SLOW_AGAIN names a file with which every start but the first
takes three seconds.

A model's own weights.json says how it `behaves`: `status`, `sleep`, `says` (its answer to everything), `never_ready`.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
for option in ("--model-dir", "--port", "--log", "--max-batch", "--threads", "--answer-shape", "--cache-mb", "--drain"):
    parser.add_argument(option)
options = parser.parse_args()


def watch():
    while os.read(0, 4096):
        pass
    os._exit(70)


threading.Thread(target=watch, daemon=True).start()
if os.environ.get("FAKE_SCORING_CRASH"):
    print("ImportError: cannot import name 'nothing'", flush=True)
    sys.exit(3)
again = os.environ.get("FAKE_SCORING_SLOW_AGAIN")
if again:
    time.sleep(3 if Path(again).exists() else 0)
    Path(again).touch()
weights = Path(options.model_dir, "model", "weights.json")
model = json.loads(weights.read_text()) if weights.exists() else {}
behaves = model.get("behaves", {})
with contextlib.suppress(OSError):  # on a full disk
    print(f"serving {options.model_dir}", flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 0.5  # of a kept connection, so that a drain ends

    def _send(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if ending.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def _known(self):
        known = self.headers["Authorization"] == f"Bearer {os.environ['AZUREML_LOCAL_SCORING_KEY']}"
        if not known:
            self._send(401, "no key")
        return known

    def do_GET(self):
        if not self._known():
            return
        never = os.environ.get("FAKE_SCORING_NEVER_READY") or behaves.get("never_ready")
        self._send(503 if never else 200, "Healthy")

    def _dropped(self):
        if dying.is_set():
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)
        return dying.is_set()

    def do_POST(self):
        if self._dropped() or not self._known():
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wish = {**behaves, **body.get("input_data", {}).get("parameters", {})}
        if wish.get("exit"):
            os._exit(9)
        time.sleep(wish.get("sleep", 0))
        if self._dropped():
            return
        if wish.get("status"):
            self._send(wish["status"], {"error": {"code": "ModelError", "message": "boom"}})
        elif "events" in wish:
            self._stream(wish["events"])
        elif "says" in wish:
            self._send(200, {"output": wish["says"]})
        else:
            self._send(200, {"output": f"{body['input_data']['input_string'][-1]}", "model": model})

    def _stream(self, events):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for each in events:
            if each is None:
                os._exit(9)
            if isinstance(each, str):
                data = f"data: {json.dumps({'output': each})}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            else:
                time.sleep(each)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(options.port)), Handler)
server.daemon_threads = False
ending, dying = threading.Event(), threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: (dying.set(), threading.Timer(0.5, os._exit, (9,)).start()))
signal.signal(signal.SIGTERM, lambda *_: (ending.set(), threading.Thread(target=server.shutdown).start()))
server.serve_forever(0.05)
server.server_close()  # waits for what runs
