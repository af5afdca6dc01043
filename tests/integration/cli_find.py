"""cli_find.py shows that people find jobs by any of their facts, act on one or on many of them, and take them out as rows of
a table of builds; that a bulk act asks before it begins, shows how far it is, and outlives the broker being killed.
"""
import json
import os
import pty
import subprocess
import time

from kit import Kit, check, main, program

COLUMNS = ["id", "app_id", "user_id", "tier", "status", "source", "source_ref", "platform", "created_at", "started_at",
           "completed_at", "bundle_url", "bundle_hash", "sourcemap_url", "bundle_size", "duration_ms", "error", "worker_id",
           "timeout_ms"]
RUNNER = """#!/bin/sh
case $(cat) in *fail*) exit 3 ;; esac
"""
counted = {"finds": 0, "refusals": 0, "acts": 0}


def find(kit, *argv, **more):
    counted["finds"] += 1
    return [j["job"] for j in kit.json("find", *argv, **more)["jobs"]]


def refused(kit, code, name, text, *argv, **more):
    done = kit.rota(*argv, ok=(code,), **more)
    check(f"({name})" in done.stderr and text in done.stderr, f"{argv}: {done.stderr!r}")
    counted["refusals"] += 1


def publishing(kit):
    """The jobs of the test, by name: each fact that publish can set."""
    jobs = {}
    put = lambda name, *options, **more: jobs.update({name: kit.publish(*options, **more)})
    put("main", "--ref", "main", account="acme", app="shop")
    put("next", "--ref", "next", "--priority", "2", account="acme", app="shop")
    put("held", "--hold", account="acme", app="shop")
    put("later", "--delay", "2h", account="acme", app="chat")
    put("dated", "--run-at", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)), account="acme", app="chat")
    put("child", "--after", jobs["held"], account="acme", app="shop")
    put("old", "--ref", "dev", "--supersede", account="acme", app="shop")
    put("new", "--ref", "dev", "--supersede", "--attempts", "1", account="acme", app="shop")
    put("other", account="beta")
    status = kit.rota("status", jobs["old"]).stdout
    check(f"replaced by {jobs['new']}" in status and "ref         dev" in status, status)
    check(f"after       {jobs['held']}" in kit.rota("status", jobs["child"]).stdout, "status shows what it waits for")
    held = kit.rota("status", jobs["held"]).stdout
    check("by          rota_" in held and "since" in held, held)
    check("due" in kit.rota("status", jobs["dated"]).stdout, "status shows when it is due")
    check(kit.status(jobs["new"])["attempts_max"] == 1 and kit.status(jobs["next"])["priority"] == 2, "--attempts, --priority")
    refused(kit, 2, "RUN_AT_INVALID", "--run-at 2h", "publish", "--app", "a", "--class", "task", "--run-at", "2h")
    refused(kit, 2, "PRESET_UNKNOWN", "none", "publish", "--preset", "none")
    return jobs


def finding(kit, j):
    every = [j[n] for n in ("other", "new", "old", "child", "dated", "later", "held", "next", "main")]
    check(find(kit) == every, "all of them, newest first")
    check(find(kit, "--account", "acme", "--app", "shop", "--state", "ready") == [j["new"], j["next"], j["main"]], "options")
    check(find(kit, "--where", "account=acme app=shop state=ready") == [j["new"], j["next"], j["main"]], "the short form")
    check(find(kit, "--where", "ref=dev", "--state", "cancelled") == [j["old"]], "both at once")
    check(find(kit, "--reason", "SUPERSEDED") == [j["old"]], "the first word of a reason")
    check(find(kit, "--where", f'reason="SUPERSEDED by {j["new"]}"') == [j["old"]], "the whole reason, in quotes")
    check(find(kit, "--reason", "SUPER") == [], "half a word is none")
    check(find(kit, "--tier", "starter") == [j["other"]] and find(kit, "--where", "tier=P0") == [], "tiers at publish")
    check(find(kit, "--published-from", "1h") == every and find(kit, "--published-to", "1h") == [], "ages")
    check(find(kit, "--where", "published<2020-01-01") == [] and find(kit, "--where", "published>2020-01-01") == every, "dates")
    check(find(kit, "--finished-from", "1h") == [j["old"]] == find(kit, "--where", "error=SUPERSEDED"), "ended ones")
    page = kit.json("find", "--limit", "4")
    check([x["job"] for x in page["jobs"]] == every[:4] and page["seen"] == 4, f"a page: {page['seen']}")
    rest = kit.json("find", "--cursor", page["next_cursor"], "--all")
    check([x["job"] for x in rest["jobs"]] == every[4:] and "next_cursor" not in rest, "the rest by its cursor")
    refused(kit, 2, "CURSOR_INVALID", "another filter", "find", "--cursor", page["next_cursor"], "--app", "shop")
    two = kit.json("find", "--fields", "job,due_ms", "--where", "state=delayed app=chat")["jobs"]
    check([set(x) for x in two] == [{"job", "due_ms"}] * 2, f"--fields --json: {two}")
    table = kit.rota("find", "--fields", "job,state,app", "--state", "held").stdout.split()
    check(table == ["JOB", "STATE", "APP", j["held"], "held", "shop"], f"--fields: {table}")
    refused(kit, 2, "WHERE_INVALID", "--where, column 13: there is no state", "find", "--where", "app=x state=redy")
    refused(kit, 2, "WHERE_INVALID", "--state: there is no state \"x\"", "find", "--state", "x")
    refused(kit, 2, "WHERE_INVALID", "there is no pool", "find", "--pool", "nowhere")
    refused(kit, 2, "WHERE_INVALID", "published: nothing lies", "find", "--published-from", "1h", "--published-to", "2h")
    refused(kit, 2, "USAGE", "no field", "find", "--fields", "job,colour")
    key = f"{kit.dir}/acme.key"
    kit.rota("key", "create", "--role", "account", "--account", "acme", "--out", key)
    check(find(kit, key=key) == every[1:], "an account finds its own")
    refused(kit, 77, "NOT_ALLOWED", "", "find", "--account", "beta", key=key)
    refused(kit, 77, "NOT_ALLOWED", "", "bulk", "cancel", "--state", "ready", "--yes", key=key)


def acting(kit, j):
    check(kit.json("hold", j["main"], "--reason", "let me look")["state"] == "held", "hold")
    check(kit.status(j["main"])["reason"] == "let me look", "the reason of a hold")
    check(kit.rota("release", j["main"]).stdout == f"{j['main']} ready\n", "release")
    kit.rota("move", j["main"], "--priority", "1", "--pool", "bundle")
    moved = kit.status(j["main"])
    check(moved["priority"] == 1 and moved["pool"] == "bundle", f"move: {moved}")
    kit.rota("move", j["main"], "--pool", "task")
    kit.rota("cancel", j["next"])
    check(kit.json("retry", j["next"])["state"] == "ready", "retry")
    refused(kit, 1, "JOB_NOT_HELD", "is not held", "release", j["next"])
    refused(kit, 1, "JOB_NOT_ENDED", "has not ended", "retry", j["next"])
    refused(kit, 2, "MOVE_NEEDED", "", "move", j["next"])
    counted["acts"] += 6


def on_a_terminal(kit, answer, *argv):
    """The command on a terminal of its own; what it says, and its exit code."""
    leader, follower = pty.openpty()
    child = subprocess.Popen([program("rota"), *argv, "--url", kit.url, "--key-file", kit.key], stdin=follower, stdout=follower,
                             stderr=follower, env={**os.environ, "TERM": "xterm"})
    os.close(follower)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(leader, 4096)
    os.write(leader, answer + b"\n")
    while True:
        try:
            more = os.read(leader, 4096)
        except OSError:
            break
        if not more:
            break
        said += more
    os.close(leader)
    return said.decode(), child.wait(30)


def in_bulk(kit, j):
    refused(kit, 2, "USAGE", "pass --yes", "bulk", "hold", "--state", "ready")
    refused(kit, 2, "WHERE_INVALID", "a bulk act needs a filter", "bulk", "cancel", "--yes")
    refused(kit, 2, "BULK_UNKNOWN", "no bulk act 99", "bulk", "stop", "99")
    dry = kit.json("bulk", "hold", "--where", "account=acme app=shop", "--dry-run")
    check((dry["matched"], dry["done"], dry["refused"], dry["last_error"]) == (6, 5, 1, "JOB_ENDED"), f"a dry run: {dry}")
    check(find(kit, "--state", "held") == [j["held"]], "a dry run changes nothing")
    said, code = on_a_terminal(kit, b"n", "bulk", "hold", "--where", "account=acme app=shop")
    check(code == 1 and "hold 5 jobs (1 more match and would be refused)" in said and "nothing was done" in said, said)
    check(find(kit, "--state", "held") == [j["held"]], "no means no")
    said, code = on_a_terminal(kit, b"y", "bulk", "hold", "--where", "account=acme app=shop", "--note", "freeze")
    check(code == 0 and "6 matched, 5 done, 1 refused (JOB_ENDED)" in said, said)
    check(find(kit, "--state", "held") == [j[n] for n in ("new", "child", "held", "next", "main")], "held in bulk")
    check(kit.status(j["next"])["reason"] == "freeze", "--note is the reason")
    real = kit.json("bulk", "release", "--where", "state=held app=shop", "--yes")
    check((real["matched"], real["done"], real["refused"]) == (5, 5, 0), f"release: {real}")
    kit.rota("bulk", "move", "--app", "shop", "--state", "ready", "--to-priority", "9", "--yes")
    check(kit.status(j["new"])["priority"] == 9, "move in bulk")
    refused(kit, 2, "MOVE_NEEDED", "", "bulk", "move", "--app", "shop", "--yes")
    acts = kit.json("bulk", "list")["bulks"]
    check([a["bulk"] for a in acts] == list(range(len(acts), 0, -1)) and acts[0]["verb"] == "move", f"list: {acts}")
    check("where app=shop state=ready" in kit.rota("bulk", "show", str(acts[0]["bulk"])).stdout, "bulk show")
    counted["acts"] += 5


def across_a_kill(kit):
    """Thousands of jobs; the broker is killed while the act runs and goes on by itself."""
    with open(f"{kit.dir}/acks", "w") as out:
        publisher = kit.spawn([program("tests/integration/publisher"), kit.url, kit.key, "64", "1"], stdout=out)
    kit.wait("jobs", lambda: len(open(f"{kit.dir}/acks").readlines()) > 6000)
    publisher.kill()
    publisher.wait()
    jobs = len(find(kit, "--app", "load", "--all"))
    bulk = kit.rota("bulk", "hold", "--app", "load", "--yes", "--detach").stdout.strip()
    kit.restart()
    middle = kit.json("bulk", "show", bulk)
    last = kit.wait("the end", lambda: (lambda b: b if "ended_ms" in b else None)(kit.json("bulk", "show", bulk)))
    check(last["done"] == last["matched"] == jobs and last["refused"] == 0, f"{jobs} jobs: {last}")
    check(len(find(kit, "--state", "held", "--app", "load", "--all")) == jobs, "each of them is held")
    check("ended_ms" not in middle or jobs < 200, f"killed too late: {middle}")
    stopped = kit.rota("bulk", "cancel", "--app", "load", "--yes", "--detach").stdout.strip()
    kit.rota("bulk", "stop", stopped)
    left = kit.json("bulk", "show", stopped)
    check(left["stopped"] and left["done"] < jobs, f"stopped: {left}")
    return jobs, middle["done"]


def exporting(kit, j):
    kit.worker(runner=kit.script("runner", RUNNER), slots=2)
    bad = kit.publish("--spec", '{"do":"fail"}', account="beta")
    kit.wait_state(bad, "failed")
    kit.wait_state(j["other"], "succeeded")
    rows = [json.loads(line) for line in kit.rota("export", "builds").stdout.splitlines()]
    check(all(list(row) == COLUMNS for row in rows), f"19 columns in their order: {list(rows[0])}")
    check(len({row["id"] for row in rows}) == len(rows) == len(find(kit, "--all")), "each job once")
    row = next(r for r in rows if r["id"] == bad)
    job = kit.status(bad)
    check(row["status"] == "failed" and row["error"].startswith("RUNNER_FAILED: ") and row["worker_id"] == job["worker"]
          and row["user_id"] == job["principal"] and row["tier"] == "P2" and row["source"] is None
          and row["completed_at"] == job["finished_ms"] // 1000 and row["created_at"] == job["published_ms"] // 1000
          and row["duration_ms"] == job["finished_ms"] - job["started_ms"], f"a row: {row}")
    states = {r["id"]: r["status"] for r in rows}
    check(states[j["later"]] == states[j["dated"]] == "queued" and states[j["old"]] == "cancelled", "what waits is queued")
    only = kit.rota("export", "builds", "--where", "app=chat").stdout.splitlines()
    check(len(only) == 2, f"with a filter: {len(only)}")
    with open("/dev/full", "w") as full:
        done = subprocess.run([program("rota"), "export", "builds", "--url", kit.url, "--key-file", kit.key], stdout=full,
                              stderr=subprocess.PIPE, text=True)
    check(done.returncode == 74, f"a full disk is an error: {done.returncode} {done.stderr}")
    return len(rows)


def test():
    with Kit() as kit:
        kit.start()
        kit.account("acme", "pro")
        kit.account("beta", "starter")
        jobs = publishing(kit)
        finding(kit, jobs)
        acting(kit, jobs)
        in_bulk(kit, jobs)
        held, before = across_a_kill(kit)
        rows = exporting(kit, jobs)
    print(f"{counted['finds']} searches, {counted['acts']} kinds of acts, {counted['refusals']} refusals named; {held} jobs held "
          f"across a kill -9 ({before} of them before it); {rows} rows exported")


main(test)
