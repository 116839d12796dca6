"""A program that answers to `az ml` as the service does, from a world in a JSON file: what the emulator has not (yet).

`world["script"]` has answers that come first, a list a command: code, out, err, seconds and `set`.
Without one: show, list, create, update, delete on the world. `world["calls"]` keeps every command line.
"""

import json
import os
import sys
import time
from pathlib import Path

PLACE = Path(os.environ["FAKE_AZ_WORLD"])
KINDS = {"online-endpoint": "endpoint", "online-deployment": "deployment"}  # the others are called as they are


def main(words):
    group = words.pop(0)
    assert group == ("monitor" if words[0] == "autoscale" else "ml"), words
    world = json.loads(PLACE.read_text())
    world["calls"].append(words)
    try:
        return answer(world, words)
    finally:
        keep(world)


def keep(world):
    """Writes the world so that a test that looks sees the old one or the new one."""
    part = PLACE.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(world))
    part.replace(PLACE)


def answer(world, words):
    command, things = " ".join(words[:2]), world["things"]
    scripted = world["script"].get(command)
    if scripted:
        said = scripted.pop(0)
        keep(world)
        time.sleep(said.get("seconds", 0))
        for key, value in said.get("set", {}).items():
            things.pop(key, None)
            if value is not None:
                things[key] = value
        print(said.get("out", ""), end="")
        print(said.get("err", ""), end="", file=sys.stderr)
        return said.get("code", 0)
    if words[0] == "model":
        return models(world, words)
    if words[0] == "autoscale":
        return autoscale(things, words)
    kind = KINDS.get(words[0], words[0])
    name = option(words, "-n") or next((word[5:] for word in words if word.startswith("name=")), "") or named(words)
    key = f"{kind}/{name}"
    if words[1] == "list":
        if kind == "deployment" and f"endpoint/{option(words, '-e')}" not in things:
            return missing()
        print(
            json.dumps(
                [{"name": each.partition("/")[2], **things[each]} for each in things if each.startswith(f"{kind}/")]
            )
        )
    elif words[1] == "create":
        things[key] = {"status": "Completed"} if kind == "job" else {"provisioning_state": "Succeeded"}
        if kind == "deployment":
            things[key] |= deployed(words, things)
    elif words[1] == "invoke":
        print('{"output": "Yes."}')
    elif words[1] in ("stream", "get-logs"):
        print("log line")
    elif key not in things:
        return missing()
    elif words[1] == "show":
        print(json.dumps({"name": name, **things[key]}))
    elif words[1] == "update" and "--traffic" in words:
        for option_name, kind_of in (("--traffic", "traffic"), ("--mirror-traffic", "mirror_traffic")):
            pairs = [pair.split("=") for pair in option(words, option_name).split()]
            things[key][kind_of] = {name: int(share) for name, share in pairs}
    elif words[1] == "update":
        things[key]["provisioning_state"] = "Succeeded"
        if kind == "deployment":
            things[key] |= deployed(words, things) | {"creation_context": things[key].get("creation_context", {})}
    elif words[1] == "cancel":
        things[key]["status"] = "Canceled"
    elif words[1] == "delete":
        del things[key]
    else:
        raise AssertionError(words)
    return 0


def deployed(words, things):
    """A deployment as it is shown: its YAML with what was bound, and when it was made."""
    import yaml

    shown = {**yaml.safe_load(Path(option(words, "-f")).read_text()), "tags": {}}
    for word in words[words.index("--set") + 1 :] if "--set" in words else ():
        path, _, value = word.partition("=")
        if path.startswith("tags."):
            shown["tags"][path[5:]] = value
        elif path == "model":
            shown[path] = value
    del shown["name"]
    shown["tags"] |= yaml.safe_load(Path(option(words, "-f")).read_text()).get("tags", {})
    made = f"2026-11-27T10:00:{len(things):02}+00:00"
    return {**shown, "creation_context": {"created_at": made}}


def models(world, words):
    """Versions counted as the service does, found by the query that is asked."""
    import jmespath

    held = world["models"]
    if words[1] == "list":
        if not held:
            return missing("ModelNotFound")
        print(json.dumps(jmespath.search(option(words, "--query"), held)))
        return 0
    if words[1] == "show":
        found = [each for each in held if each["version"] == option(words, "-v")]
        if not found:
            return missing("ModelNotFound")
        print(json.dumps(found[0]))
        return 0
    sets = dict(each.split("=", 1) for each in words if "=" in each)
    if "version" in sets:  # one that is there, with its place: only its words change
        (found,) = [each for each in held if (each["version"], each["path"]) == (sets["version"], sets["path"])]
        found["tags"] = {"job": sets["tags.job"]}
        print(json.dumps(found))
        return 0
    numbers = [int(each["version"]) for each in held if each["version"].isdecimal()]
    made = {"version": str(max(numbers, default=0) + 1), "path": sets["path"], "tags": {"job": sets["tags.job"]}}
    held.append(made)
    print(json.dumps(made))
    return 0


def autoscale(things, words):
    """Settings of Azure Monitor, by their names, each with the resource that it scales and its rules."""
    name, key = option(words, "--autoscale-name") or option(words, "--name"), "autoscale/"
    if words[1] == "list":
        found = {each.removeprefix(key): thing for each, thing in things.items() if each.startswith(key)}
        print(json.dumps([{"name": each, "targetResourceUri": thing["of"]} for each, thing in found.items()]))
    elif words[1] == "create":
        things[key + name] = {"of": option(words, "--resource"), "rules": [], "enabled": "true"}
    elif words[1] == "update":
        things[key + name]["enabled"] = option(words, "--enabled")
    elif words[1:3] == ["rule", "delete"]:
        things[key + name]["rules"] = []
    elif words[1:3] == ["rule", "create"]:
        things[key + name]["rules"].append(option(words, "--condition"))
    else:
        raise AssertionError(words)
    return 0


def missing(code="ResourceNotFound"):
    print(
        f"ERROR: ({code}) The resource was not found.\nCode: {code}\nMessage: The resource was not found.",
        file=sys.stderr,
    )
    return 3


def option(words, name):
    return words[words.index(name) + 1] if name in words else ""


def named(words):
    """The name in the YAML file."""
    import yaml

    path = option(words, "-f")
    return yaml.safe_load(Path(path).read_text())["name"] if path else ""


sys.exit(main(sys.argv[1:]))
