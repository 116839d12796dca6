"""A fake of scripts.local.engine for tests of the emulator: fast, and made to fail or to wait by its inputs.

`seed` says what it does: 1 waits until it is ended, 2 fails with error.json, 3 dies without a word, 4 takes 2 s. As
long as the home has a file `trains-on`, it waits too.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path


def watch():
    while os.read(0, 4096):
        pass
    os._exit(70)


folder = Path(sys.argv[1])
job = json.loads((folder / "job.json").read_text())
threading.Thread(target=watch, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def log(text):
    with (folder / "logs" / "executionlogs.txt").open("a") as file:
        file.write(text + "\n")


log(f"fine-tuning {job['base_model']['reference']} on {job['inputs'].get('train_file_path')}")
(folder / "steps.json").write_text(json.dumps({"steps": [{"name": "chat_completion_finetune", "status": "Completed"}]}))
wish = job["inputs"].get("seed")
while wish == "1" or Path(os.environ["AZUREML_LOCAL_HOME"], "trains-on").exists():
    time.sleep(0.1)
if wish == "2":
    log("UserError: The training file has 3 rows.")
    (folder / "error.json").write_text(json.dumps({"code": "UserError", "message": "The training file has 3 rows."}))
    sys.exit(1)
if wish == "3":
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(2 if wish == "4" else 0.3)
rows = Path(job["inputs"]["train_file_path"]).read_text().splitlines()
target = Path(job["outputs"]["mlflow_model_folder"])
partial = target.with_name(target.name + ".partial")
(partial / "model").mkdir(parents=True)
(partial / "MLmodel").write_text("flavors:\n  python_function:\n    env: conda.yaml\n")
(partial / "model" / "weights.json").write_text(json.dumps({"rows": len(rows), "job": job["name"]}))
partial.rename(target)
Path(job["outputs"]["pytorch_model_folder"]).mkdir(parents=True, exist_ok=True)
log("done")
