"""What stands on an endpoint, with a program in az's place."""

from scripts.chain import slots
from scripts.rollout import rolling
from scripts.rollout.service import Reply
from tests.chain.world import Answers

MODEL = "SmolLM2-135M-Instruct-azureml-chat"
SETS = ("deployment.rollout.questions=2", "deployment.rollout.watch_minutes=0")
BROKEN = Reply("", 0.1, "HTTP 500")
UPDATE, MAKE, TAKE = "online-endpoint update", "online-deployment create", "online-deployment delete"


def stands(made, name, version=1, share=0, minute=0, previous="", **more):
    """Puts a deployment there, as the YAML says but for what is given."""
    shown = {**made.run.document(*slots.FILE), "model": f"azureml:{MODEL}:{version}", **more}
    del shown["name"]
    tags = {**shown["tags"], **({slots.PREVIOUS: f"{MODEL}:{previous}"} if previous else {})}
    context = {"created_at": f"2026-11-27T09:{minute:02}:00+00:00"}
    made.thing(f"deployment/{name}", "Succeeded", **{**shown, "tags": tags, "creation_context": context})
    given = made.get()["things"][made.on].get("traffic", {})
    made.thing(made.on, "Succeeded", traffic={**given, **({name: share} if share else {})})


def there(made):
    """The shares of what stands, with the versions."""
    things = made.get()["things"]
    return {
        key.partition("/")[2]: (
            things[made.on].get("traffic", {}).get(key.partition("/")[2], 0),
            thing.get("model", "?")[-1],
        )
        for key, thing in things.items()
        if key.startswith("deployment/")
    }


def shares(made):
    """The shares that were given, one after the other, with copies."""
    found = []
    for words in made.words("online-endpoint update"):
        mirror = words[words.index("--mirror-traffic") + 1] if "--mirror-traffic" in words else ""
        found.append((words[words.index("--traffic") + 1], mirror))
    return found


STEPS = [("demo=100", "demo-2=10"), ("demo=90 demo-2=10", "demo-2=0"), ("demo=50 demo-2=50", ""), ("demo-2=100", "")]


def kept(made):
    object.__setattr__(made, "run", made.with_values(*SETS, "deployment.rollout.keep_previous=true"))
    stands(made, "demo", 4, 100)
    rolling.deploy(made.run, Answers())


def damaged(made):
    path = made.root / "data" / "demo" / "test.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{no row\n")
