#!/usr/bin/env python3
"""why, next, what-if and audit, as a person at a terminal meets them, on a real broker with a real worker.

Each word that they promise is looked for: the reason changes as the queue does, the preview is what then happens, a
supposed tier changes the preview and nothing else, and the audit passes over the whole log, also behind a kill -9.
"""
import json
import os
import subprocess

from kit import Kit, check, main, program


def why(kit, job, reason):
    said = kit.json("why", job)
    check(said["reason"] == reason, f"why {job}: {said}, expected {reason}")
    text = kit.rota("why", job).stdout
    check(reason in text and job in text, f"why {job} says {text!r}")
    print(text, end="")
    return said


def reasons(kit, runner, gate):
    kit.account("big", "pro", "--running", "1")
    first, second, third = (kit.publish(account="big") for _ in range(3))
    why(kit, first, "NO_WORKER")
    kit.worker(runner=runner, name="w", slots=4)
    kit.wait_state(first, "leased")
    said = why(kit, second, "ACCOUNT_AT_CAP")
    check(said["runnings"] == [first], f"running: {said}")
    why(kit, first, "RUNNING")
    kit.rota("pause", "account", "big", "--reason", "a look")
    paused = why(kit, third, "PAUSED")
    check(paused["place"] == 2 and "a look" in paused["text"], f"paused: {paused}")
    kit.rota("pause", "off", "account", "big")
    open(gate, "w").close()
    for job in (first, second, third):
        kit.wait_state(job, "succeeded")
    why(kit, first, "SUCCEEDED")


def previews(kit):
    """The worker is gone, so that the queue stands still; then it comes back and works it off."""
    for name, tier in (("e", "enterprise"), ("s", "starter"), ("f", "free")):
        kit.account(name, tier, "--running", "50")
    jobs = [kit.publish(account=a) for a in ("f", "s", "e") for _ in range(4)]
    shown = [j["job"] for j in kit.json("next", "12", "--pool", "task")["jobs"]]
    check(sorted(shown) == sorted(jobs), f"next shows {shown}")
    text = kit.rota("next", "3", "--pool", "task").stdout
    check(shown[0] in text and "STARTS" in text, f"next says {text!r}")
    both = kit.json("what-if", "12", "--account", "f", "--tier", "enterprise", "--pool", "task")
    now, then = ([j["job"] for j in both[side]["jobs"]] for side in ("now", "then"))
    check(now == shown and then != now and sorted(then) == sorted(now), f"what-if: {both}")
    text = kit.rota("what-if", "5", "--account", "f", "--tier", "enterprise", "--pool", "task").stdout
    check("NOW" in text and "THEN" in text and "f: " in text, f"what-if says {text!r}")
    print(text, end="")
    check([j["job"] for j in kit.json("next", "12", "--pool", "task")["jobs"]] == shown, "what-if changed something")
    for bad in (["what-if"], ["what-if", "--account", "f"], ["what-if", "--tier", "free"]):
        kit.rota(*bad, ok=(2,))
    said = kit.json("why", shown[0])
    check(said["has_bound"] and said["ring_place"] == 1, f"the next one: {said}")
    return shown


def dispatched(kit):
    return [e["job"] for e in kit.events() if e["kind"] == "dispatched"]


def audited(kit, least):
    said = kit.rota("audit").stdout
    check("all as the rule says" in said, f"audit says {said!r}")
    counts = kit.json("audit")
    check(counts["dispatches"] >= least and "deviation" not in counts, f"audit: {counts}")
    kit.rota("audit", "--from", str(counts["last_seq"] + 1), ok=(1,))  # no checkpoint there
    print(said, end="")


def followed(kit):
    """--follow goes on with what comes and ends by the interrupt."""
    env = {**os.environ, "ROTA_URL": kit.url, "ROTA_KEY_FILE": kit.key, "NO_COLOR": "1"}
    follow = subprocess.Popen([program("rota"), "audit", "--follow"], stdout=subprocess.PIPE, text=True, env=env)
    kit.children.append(follow)
    check("so far, all as the rule says" in follow.stdout.readline(), "audit --follow says nothing")
    kit.publish(account="e")
    check("so far" in follow.stdout.readline(), "audit --follow did not go on")
    follow.terminate()
    follow.wait()


def test():
    with Kit() as kit:
        kit.start()
        gate = f"{kit.dir}/gate"
        runner = kit.script("wait", f"#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.05; done\n")
        reasons(kit, runner, gate)
        for child in kit.children:
            child.terminate()
            child.wait()
        shown = previews(kit)
        audited(kit, 3)
        before = len(dispatched(kit))
        kit.restart()
        kit.worker(runner=runner, name="w2", slots=1)
        for job in shown:
            kit.wait_state(job, "succeeded")
        check(dispatched(kit)[before:] == shown, "they began in another order than next had shown")
        print(f"{len(shown)} jobs began as next had shown")
        audited(kit, 3 + len(shown))
        followed(kit)
        line = json.loads(kit.rota("watch", "--all", "--from", "1", "--json").stdout.splitlines()[0])
        check(line["kind"] == "checkpoint" and line["seq"] == 1, f"the log begins with {line}")
        check(max(map(len, kit.rota("watch", "--all").stdout.splitlines())) < 500, "a person's log has long lines")


main(test)
