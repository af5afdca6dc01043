"""cli_commands.py shows that every command of `rota` does its work at a real broker, prints the JSON that scripts rely on,
and ends with the promised exit code and a named error. It matters because people and their pipelines see nothing else.
"""
import json
import os
import signal
import subprocess
import time

from kit import Kit, check, main, program

RUNNER = """#!/bin/sh
spec=$(cat)
echo "hello from $ROTA_JOB_ID"
printf '\\033[31mred\\033[0m\\n'
for p in 10 20 30 40 50 60 70 80 90; do
  echo "{\\"phase\\":\\"bundle\\",\\"percent\\":$p,\\"message\\":\\"step $p\\"}" >&3
  sleep 0.15
done
case $spec in
  *hold*) while [ ! -e DIR/go ]; do sleep 0.05; done ;;
  *fail*) exit 3 ;;
esac
"""
STATES = {"ready", "delayed", "held", "leased", "succeeded", "failed", "timed_out", "cancelled", "dead"}
counted = {"commands": 0, "refusals": 0}


def refused(kit, code, name, *argv, **more):
    """The exit code, and on stderr what happened, the name, what to do."""
    done = kit.rota(*argv, ok=(code,), **more)
    lines = done.stderr.strip().split("\n")
    check(any(line.startswith("rota: ") and line.endswith(f"({name})") for line in lines),
          f"{argv}: {name} is not in {done.stderr!r}")
    check(lines[-1].startswith("  "), f"{argv}: says not what to do: {done.stderr!r}")
    counted["refusals"] += 1


def accounts_apps_keys(kit):
    made = kit.json("account", "set", "acme", "--tier", "pro", "--builds", "unlimited")
    check(made["tier"] == "P1" and made["created"] and made["builds_unlimited"], f"account set: {made}")
    again = kit.json("account", "set", "acme", "--running", "7")
    check(again["tier"] == "P1" and again["running_max"] == 7 and "created" not in again, f"set again: {again}")
    names = [a["account"] for a in kit.json("account", "list")["accounts"]]
    check(sorted(names) == ["acme", "local"], f"account list: {names}")
    app = kit.json("app", "create", "shop", "--account", "acme", "--platform", "android")
    check(app["platforms"] == ["android"], f"app create: {app}")
    kit.rota("app", "set", "shop", "--account", "acme", "--archived", "yes")
    check(kit.json("app", "list", "--account", "acme")["apps"][0]["archived"], "app set --archived yes")
    key = f"{kit.dir}/acme.key"
    kit.rota("key", "create", "--role", "account", "--account", "acme", "--name", "ci", "--out", key)
    check(os.stat(key).st_mode & 0o777 == 0o600, "a key file is 0600")
    serial = [k["serial"] for k in kit.json("key", "list")["keys"] if k.get("name") == "ci"][0]
    check(kit.rota("list", key=key).returncode == 0, "the new key works")
    refused(kit, 77, "NOT_ALLOWED", "stats", key=key)
    refused(kit, 77, "SCOPE_MISSING", "app", "list", key=key)
    usage = kit.json("key", "usage", str(serial))
    check(usage["requests"] == 3 and usage["builds"] == 0 and len(usage["counts"]) == 5, f"key usage: {usage}")
    check(usage["key"]["scopes"] == ["build:create", "build:read"] and usage["key"]["rate_minute"] == 100, f"{usage}")
    kit.rota("key", "revoke", str(serial))
    refused(kit, 77, "KEY_REVOKED", "list", key=key)
    os.chmod(key, 0o644)
    refused(kit, 78, "CONFIG", "list", key=key)
    keys = len(kit.json("key", "list")["keys"])
    kit.rota("key", "create", "--role", "account", "--account", "acme", "--out", key, ok=(74, 78))
    check(len(kit.json("key", "list")["keys"]) == keys, "a key was made that could not be written down")
    members(kit)
    kit.rota("account", "set", "plain", env={"ROTA_TIER": "P0"})  # what a job sees is no --tier
    tiers = {a["account"]: a["tier"] for a in kit.json("account", "list")["accounts"]}
    check(tiers["plain"] == "P3", f"ROTA_TIER became --tier: {tiers}")
    counted["commands"] += 11


def pauses_and_the_trail(kit):
    job = kit.publish("--spec", '{"do":"pause"}', "--account", "acme")
    paused = kit.json("pause", "tier", "pro", "--reason", "night", "--for", "2h")
    check(paused["scope"] == "tier" and paused["name"] == "P1" and paused["until_ms"] > paused["since_ms"],
          f"pause: {paused}")
    kit.rota("pause", "class", "task", "--reason", "disk")
    listed = [(p["scope"], p["name"], p["reason"]) for p in kit.json("pause", "list")["pauses"]]
    check(listed == [("tier", "P1", "night"), ("class", "task", "disk")], f"pause list: {listed}")
    stats = kit.json("stats")
    pool = [p for p in stats["pools"] if p["pool"] == "task"][0]
    check(stats["tiers"][1]["bars"] == 1 and stats["tiers"][1]["ready"] == 1 and pool["bars"] == 1
          and pool["class_states"][0]["paused"], f"stats of what is paused: {stats}")
    check("paused" in kit.rota("stats").stdout, "stats shows the bars")
    kit.rota("pause", "off", "class", "task")
    check(kit.json("stats")["tiers"][1]["ready"] == 1, "the tier is paused still")
    kit.rota("pause", "off", "tier", "P1")
    check(kit.rota("pause", "off", "tier", "P1").stdout.strip() == "tier P1 was not paused", "pause off twice")
    kit.rota("cancel", job, "--reason", "enough")
    refused(kit, 2, "PAUSE_UNKNOWN", "pause", "pool", "nowhere", "--reason", "x")
    refused(kit, 2, "UNTIL_INVALID", "pause", "tier", "P0", "--reason", "x", "--until", "2020-01-01")
    refused(kit, 2, "REASON_NEEDED", "pause", "tier", "P0")
    trail = kit.json("trail")["entries"]
    check([(e["op"], e["target"]) for e in trail[-5:]] == [
        ("pause_set", "P1"), ("pause_set", "task"), ("pause_set", "task"), ("pause_set", "P1"), ("cancel", job)],
        f"trail: {trail}")
    check(kit.json("trail", "--from", str(trail[-1]["seq"]))["entries"] == trail[-1:], "trail --from")
    check(trail[-1]["op"] in kit.rota("trail").stdout, "trail")
    counted["commands"] += 12


def limits_addons_usage(kit):
    table = kit.json("limit", "list")
    check(table["profile"] == "default" and [t["running_max"] for t in table["tiers"]] == [5, 2, 1, 1],
          f"limit list: {table}")
    wide = kit.json("limit", "profile", "wide", "--if-version", "0")
    check(wide["profile"] == "wide" and wide["version"] == 1 and wide["account_rate"] == {"n": 10, "per_ms": 60000},
          f"limit profile: {wide}")
    edited = kit.json("limit", "set", "free", "--builds", "12", "--rate", "5/60", "--account-rate", "off", "--if-version", "1")
    free = edited["tiers"][3]
    check("profile" not in edited and free["builds_month"] == 12 and free["rate_n"] == 5 and free["rate_ms"] == 60000
          and free["running_max"] == 1 and edited["account_rate"]["n"] == 0, f"limit set: {edited}")
    check("P3 free" in kit.rota("limit", "list").stdout, "limit list for people")
    refused(kit, 1, "LIMITS_CHANGED", "limit", "profile", "default", "--if-version", "1")
    refused(kit, 2, "PROFILE_UNKNOWN", "limit", "profile", "huge")
    refused(kit, 2, "LIMITS_INVALID", "limit", "set", "pro", "--timeout-min", "26")
    kit.rota("limit", "set", "--timeout-min", "26", ok=(2,))
    kit.rota("limit", "set", "basic", "--running", "1")  # the price list's other word for starter
    kit.rota("limit", "profile", "default")
    made = kit.json("account", "set", "deal", "--tier", "starter", "--builds", "3", "--bundle-mb", "60", "--source-mb", "200",
                    "--storage-gb", "20", "--rate", "2/1", "--name", "Deal & Co", "--notes", "by phone")
    check(made["builds_month"] == 3 and made["name"] == "Deal & Co" and made["notes"] == "by phone", f"account set: {made}")
    catalogue = {a["name"]: a["price_cents"] for a in kit.json("addon", "list")["addons"]}
    check(catalogue == {"plus-10": 900, "plus-5": 500}, f"addon list: {catalogue}")
    dry = kit.json("addon", "grant", "deal", "plus-5", "--until", "30d", "--dry-run")
    check((dry["timeout_ms_before"], dry["timeout_ms_after"]) == (600000, 900000) and "warning" not in dry, f"dry run: {dry}")
    kit.rota("addon", "grant", "deal", "plus-10")
    warned = kit.rota("addon", "grant", "local", "plus-10", "--dry-run").stdout
    check("this add-on has no effect on this tier: enterprise builds have their most, 30 min" in warned, warned)
    refused(kit, 2, "ADDON_UNTIL", "addon", "grant", "deal", "plus-5")
    refused(kit, 2, "ADDON_UNKNOWN", "addon", "grant", "deal", "plus-7")
    added = kit.json("addon", "set", "plus-7", "--minutes", "7", "--price-cents", "700", "--recurring", "yes")
    check(added["recurring"] and added["timeout_minutes"] == 7, f"addon set: {added}")
    check(kit.json("addon", "set", "plus-7", "--retired", "yes")["timeout_minutes"] == 7, "addon set keeps what is not named")
    jobs = [kit.publish("--account", "deal", "--spec", '{"do":"wait"}') for _ in range(3)]
    refused(kit, 1, "QUOTA_EXCEEDED", "publish", "--app", "a", "--class", "task", "--account", "deal")
    kit.rota("cancel", jobs[0], "--reason", "not this one")
    shown = kit.json("account", "show", "deal")
    check(shown["limits"]["timeout_ms"] == 1200000 and shown["limits"]["bundle_bytes_max"] == 60000000
          and shown["limits"]["storage_bytes_max"] == 20 << 30 and shown["account"]["builds_used"] == 2
          and shown["grants"][0]["active"] and shown["kept_failed"] == 1, f"account show: {shown}")
    page = kit.rota("account", "show", "deal").stdout
    check("2 of 3 this month" in page and "add-on" in page and "by phone" in page, page)
    ended = kit.json("addon", "end", "deal", "1")
    check(ended["timeout_ms_after"] == 600000 and "active" not in ended["grant"], f"addon end: {ended}")
    months = kit.json("usage", "--account", "deal", "--months", "3")["months"]
    check(len(months) == 3 and months[0]["builds_used"] == 2 and months[0]["cancelled"] == 1
          and months[1]["builds_used"] == 0, f"usage: {months}")
    check(months[0]["month"] in kit.rota("usage", "--account", "deal").stdout, "usage for people")
    for job in jobs[1:]:
        kit.rota("cancel", job, "--reason", "done with it")
    kit.rota("account", "set", "deal", "--bundle-mb", "tier", "--rate", "off", "--timeout-min", "tier")
    check(kit.json("account", "show", "deal")["limits"]["bundle_bytes_max"] == 50000000, "the tier's bundle again")
    counted["commands"] += 20


def members(kit):
    made = kit.json("member", "set", "ann@Example.org", "--role", "owner", "--account", "acme")
    check(made["email"] == "ann@example.org" and made["role"] == "owner", f"member set: {made}")
    kit.rota("member", "set", "bob@example.org", "--account", "acme")
    listed = kit.json("member", "list", "--account", "acme")["members"]
    check([(m["email"], m["role"]) for m in listed] == [("ann@example.org", "owner"), ("bob@example.org", "member")],
          f"member list: {listed}")
    check(kit.json("member", "list", "--account", "local")["members"] == [], "an account without members")
    refused(kit, 2, "EMAIL_INVALID", "member", "set", "bob", "--account", "acme")
    refused(kit, 1, "LAST_OWNER", "member", "remove", "ann@example.org", "--account", "acme")
    refused(kit, 2, "SCOPE_UNKNOWN", "key", "create", "--scope", "build:destroy")
    refused(kit, 2, "EXPIRY_INVALID", "key", "create", "--expires", "2001-01-01")
    check(kit.rota("key", "create", "--expires", "soon", ok=(2,)).stdout == "", "--expires soon is a usage error")
    check(kit.json("member", "remove", "bob@example.org", "--account", "acme")["email"] == "bob@example.org", "remove")
    counted["commands"] += 4


def publish_and_wait(kit):
    done = kit.rota("publish", "--app", "a", "--class", "task", "--spec", "{}", "--wait")
    check(done.stdout.startswith("job_") and len(done.stdout.split()) == 1, f"publish prints {done.stdout!r}")
    job = kit.json("publish", "--app", "a", "--class", "task", "--spec", '{"x":[1]}', "--wait")
    check(job["state"] == "succeeded" and job["spec"] == {"x": [1]} and job["percent"] == 100, f"--wait --json: {job}")
    refused(kit, 1, "RUNNER_FAILED", "publish", "--app", "a", "--class", "task", "--spec", '{"do":"fail"}', "--wait")
    held = kit.rota("publish", "--app", "a", "--class", "task", "--spec", '{"do":"hold"}', "--wait", "--timeout", "1",
                    ok=(124,))
    job = held.stdout.split()[0]
    kit.rota("cancel", job, "--reason", "enough")
    kit.wait_state(job, "cancelled")
    refused(kit, 1, "CANCELLED", "watch", job)
    same = ["publish", "--app", "a", "--class", "task", "--idempotency-key", "k1"]
    first, second = kit.json(*same), kit.json(*same)
    check(first["job"] == second["job"] and second["replayed"] and "replayed" not in first, f"{first} {second}")
    refused(kit, 2, "IDEMPOTENCY_MISMATCH", *same, "--priority", "1")
    counted["commands"] += 8


def watching(kit):
    job = kit.publish("--spec", "{}")
    seen = [json.loads(line) for line in kit.rota("watch", job, "--json").stdout.splitlines()]
    percents = sorted({s["percent"] for s in seen if s["state"] == "leased"})
    check(len(percents) >= 5 and seen[-1]["state"] == "succeeded", f"watch --json saw {percents}")
    check({s["state"] for s in seen} <= STATES, "states are lower-case words")
    log = kit.rota("logs", job).stdout
    check(log.startswith(f"hello from {job}\nred\n"), f"logs: {log!r}")
    check("\x1b[31mred" in kit.rota("logs", job, "--raw").stdout, "logs --raw")
    job = kit.publish("--spec", "{}")
    check("hello from" in kit.rota("logs", "-f", job).stdout, "logs -f")
    check(kit.status(job)["state"] == "succeeded", "logs -f ends with the job")
    counted["commands"] += 5
    return len(percents)


def the_event_log(kit):
    events = kit.events()
    check([e["seq"] for e in events] == list(range(1, len(events) + 1)), "watch --all: every event once, in order")
    dispatched = [e for e in events if e["kind"] == "dispatched"]
    for e in dispatched:
        check({"number", "eligible", "tier", "account", "job", "worker", "c", "n"} <= set(e), f"dispatched: {e}")
    tail = kit.rota("watch", "--all", "--from", str(len(events)), "--json").stdout.splitlines()
    check(len(tail) == 1, f"--from the last: {len(tail)} events")
    follower = subprocess.Popen([program("rota"), "watch", "--all", "--from", "1", "--follow", "--json", "--url", kit.url,
                                 "--key-file", kit.key], stdout=subprocess.PIPE, text=True)
    for _ in events:
        follower.stdout.readline()
    kit.rota("account", "set", "later", "--tier", "free")
    check(json.loads(follower.stdout.readline())["account"] == "later", "--follow waits for more")
    follower.send_signal(signal.SIGINT)
    check(follower.wait(10) == 130, "SIGINT ends with 130")
    counted["commands"] += 3
    return len(events), len(dispatched)


def the_contract_of_stats(kit):
    stats = kit.json("stats")
    check([t["tier"] for t in stats["tiers"]] == ["P0", "P1", "P2", "P3"], "stats: four tiers")
    for t in stats["tiers"]:
        check({"ready", "delayed", "held", "leased", "oldest_ms"} <= set(t), f"stats: {t}")
    held = kit.publish("--spec", '{"do":"hold"}')
    kit.wait_state(held, "leased")
    kit.wait("progress", lambda: kit.status(held)["percent"] == 90)
    worker = kit.json("stats")["workers"][0]
    check({"worker", "pool", "classes", "slots", "seen_ms", "jobs"} <= set(worker), f"stats: {worker}")
    check(worker["jobs"][0]["job"] == held and worker["jobs"][0]["percent"] == 90
          and worker["jobs"][0]["phase"] == "bundle" and worker["classes"] == ["task"], f"stats: {worker}")
    listed = kit.json("worker", "list")["workers"][0]
    check(listed["worker"] == worker["worker"], "worker list")
    has = listed["resources"]
    check(1 <= has["cpus"] <= os.cpu_count() and has["memory_bytes"] > 64 << 20 and has["limits"] == "none"
          and has["isolation"] == "pid-namespace" and has["workspace_bytes"] == 0, f"worker list: {has}")
    lines = kit.rota("worker", "list").stdout.splitlines()
    head = next(i for i, line in enumerate(lines) if "CPUS" in line)
    check(lines[head].split() == ["WORKER", "CPUS", "MEMORY", "WORKSPACE", "LIMITS", "ISOLATION", "NODE", "MANAGERS"]
          and lines[head + 1].split()[:2] == [worker["worker"], str(has["cpus"])], f"worker list: {lines}")
    open(f"{kit.dir}/go", "w").close()
    kit.wait_state(held, "succeeded")
    counted["commands"] += 3


def across_a_restart(kit):
    """A watch outlives the broker, and so does the job."""
    os.unlink(f"{kit.dir}/go")
    job = kit.publish("--spec", '{"do":"hold"}')
    kit.wait("progress", lambda: kit.status(job)["percent"] == 90)
    watch = subprocess.Popen([program("rota"), "watch", job, "--json", "--url", kit.url, "--key-file", kit.key],
                             stdout=subprocess.PIPE, text=True)
    check(json.loads(watch.stdout.readline())["percent"] == 90, "the watch sees the job")
    kit.restart()
    open(f"{kit.dir}/go", "w").close()
    out, _ = watch.communicate(timeout=60)
    check(watch.returncode == 0 and json.loads(out.splitlines()[-1])["state"] == "succeeded", f"the watch ends: {out}")


def looking_ahead(kit):
    kit.children[0].terminate()
    kit.children[0].wait()
    jobs = [kit.publish("--priority", p) for p in ("9", "1", "5")]
    ahead = kit.json("next", "2")
    check([j["job"] for j in ahead["jobs"]] == [jobs[1], jobs[2]] and ahead["pool"] == "task", f"next 2: {ahead}")
    page = kit.json("list", "--state", "ready", "--limit", "2")
    check([j["job"] for j in page["jobs"]] == [jobs[2], jobs[1]], f"list: {page}")
    rest = kit.json("list", "--state", "ready", "--cursor", page["next_cursor"])
    check([j["job"] for j in rest["jobs"]] == [jobs[0]] and "next_cursor" not in rest, f"list --cursor: {rest}")
    heat = kit.json("heat", "--pool", "task", "--slots", "3", "--for", "10m")
    check(heat["slots"] == 3 and 0 < heat["until_ms"] - time.time() * 1000 <= 600_000, f"heat: {heat}")
    check(kit.json("heat", "off", "--pool", "task")["slots"] == 0, "heat off")
    counted["commands"] += 5


def tokens_in_the_clear(kit):
    """A .yarnrc.yml with a token stays where it is, and is refused by the name that a build has for it."""
    app, token = f"{kit.dir}/yarn-app", "npm_" + "7" * 36
    os.mkdir(app)
    for name, text in (("package.json", "{}"), ("yarn.lock", ""),
                       (".yarnrc.yml", f"nodeLinker: node-modules\nnpmAuthToken: {token}\n")):
        with open(f"{app}/{name}", "w") as f:
            f.write(text)
    publish = ("publish", "--app", "a", "--platform", "ios", "--delay", "1h", "--source", f"dir:{app}")
    refused(kit, 2, "NPMRC_SECRET", *publish)
    said = kit.rota(*publish, ok=(2,)).stderr
    check("line 2: `npmAuthToken`" in said and "rota var set" in said and token not in said, said)
    os.unlink(f"{app}/yarn.lock")
    said = kit.rota(*publish).stderr
    check("left out: .yarnrc.yml" in said and "packed 1 files" in said and token not in said, said)


def refusals(kit):
    refused(kit, 2, "JOB_ID_INVALID", "status", "job_no")
    refused(kit, 1, "JOB_UNKNOWN", "status", "job_00000000000000000000000000")
    refused(kit, 2, "TIER_UNKNOWN", "account", "set", "x", "--tier", "gold")
    refused(kit, 2, "ROLE_UNKNOWN", "key", "create", "--role", "king")
    refused(kit, 2, "FIELD_MISSING", "publish", "--class", "task")
    refused(kit, 2, "FIELD_MISSING", "publish", "--app", "a", "--source", "dir:.")
    refused(kit, 2, "SOURCE_NEEDED", "publish", "--app", "a", "--platform", "ios")
    refused(kit, 2, "SOURCE_INVALID", "publish", "--app", "a", "--platform", "ios", "--source", "git:x@y")
    refused(kit, 2, "SOURCE_INVALID", "publish", "--app", "a", "--platform", "ios", "--source", "zip:x")
    refused(kit, 2, "SOURCE_INVALID", "publish", "--app", "a", "--platform", "ios", "--source", "dir:/nonexistent")
    refused(kit, 2, "SPEC_INVALID", "publish", "--app", "a", "--class", "task", "--spec", "[]")
    refused(kit, 2, "PLATFORM_UNKNOWN", "publish", "--app", "a", "--platform", "tizen", "--source", f"upload:{kit.key}")
    refused(kit, 2, "USAGE", "next", "0")
    refused(kit, 2, "USAGE", "watch")
    refused(kit, 2, "USAGE", "heat", "--for", "soon")
    refused(kit, 2, "USAGE", "status")
    refused(kit, 2, "USAGE", "nonsense")
    refused(kit, 2, "USAGE", "stats", "--timeout", "never")
    refused(kit, 77, "WRONG_ENVIRONMENT", "stats", env={"ROTA_ENVIRONMENT": "production"})
    refused(kit, 78, "CONFIG", "stats", env={"ROTA_URL": ""})
    refused(kit, 78, "CONFIG", "stats", env={"ROTA_URL": "carrier-pigeon://x"})
    refused(kit, 78, "CONFIG", "stats", key="/nonexistent")
    refused(kit, 78, "CONFIG", "verify", kit.dir)
    check(kit.rota("stats", "--no-such-flag", ok=(2,)).stderr != "", "an unknown flag is an error")
    check(kit.rota("account", ok=(2,)).stdout == "", "a group alone is a usage error")


def the_worker_s_options(kit):
    """What a runner has no use for is refused before anything starts, and not left out in silence."""
    for options in (["--exec-host"], ["--exec-read", kit.dir], ["--runner", "bundle", "--exec-host", "--exec-read", kit.dir],
                    ["--runner", "exec:"], ["--runner", "no-such"], ["--name", "a name"]):
        done = kit.run([program("rota-worker"), "--url", kit.url, "--key-file", kit.key, *options], ok=(2,), timeout=60)
        lines = done.stderr.strip().split("\n")
        check(len(lines) == 2 and lines[0].startswith("rota-worker: --") or "no such --runner" in lines[0],
              f"{options}: {done.stderr!r}")
        check(lines[-1].startswith("  "), f"{options}: says not what to do: {done.stderr!r}")
        if options[0].startswith("--exec") or "bundle" in options:
            check("--exec-host and --exec-read are for --runner exec:PATH" in lines[0], f"{options}: {done.stderr!r}")
        counted["refusals"] += 1
    told = " ".join(kit.run([program("rota-worker"), "--help"]).stdout.split("--allow-registry")[1].split("--git-host")[0].split())
    check("an app's .npmrc or .yarnrc.yml may name" in told, f"--allow-registry: {told}")


def help_for_all(kit):
    lines = [line[2:] for line in kit.rota("help").stdout.splitlines() if line.startswith("  ")]
    names = [line[:16].strip() for line in lines if not line.startswith("rota ")]
    for name in names + ["account", "app", "key", "member"]:
        check(kit.rota(*name.split(), "--help").stdout, f"{name} --help")
    for name in names:
        check(kit.rota(*name.split(), "--version").stdout.startswith("rota "), f"{name} --version")
    script = kit.rota("completion", "bash").stdout
    kit.run(["bash", "-c", f"{script}\nCOMP_WORDS=(rota account se); COMP_CWORD=2; __rota; [ \"$COMPREPLY\" = set ]"])
    kit.run(["bash", "-c", f"{script}\nCOMP_WORDS=(rota publish --pri); COMP_CWORD=2; __rota; [ \"$COMPREPLY\" = --priority ]"])
    return len(names)


def unavailable(kit):
    kit.kill()
    start = time.monotonic()
    refused(kit, 69, "UNAVAILABLE", "stats", "--timeout", "1")
    check(time.monotonic() - start < 5, "--timeout 1 ends soon")
    check(kit.rota("version", "--json").stdout.startswith("{"), "version needs no broker")


def test():
    with Kit() as kit:
        kit.start()
        check(kit.json("ping")["environment"] == kit.environment, "ping")
        accounts_apps_keys(kit)
        pauses_and_the_trail(kit)
        limits_addons_usage(kit)
        kit.worker(runner=kit.script("runner", RUNNER.replace("DIR", kit.dir)), slots=2)
        publish_and_wait(kit)
        percents = watching(kit)
        events, dispatched = the_event_log(kit)
        the_contract_of_stats(kit)
        across_a_restart(kit)
        looking_ahead(kit)
        tokens_in_the_clear(kit)
        refusals(kit)
        the_worker_s_options(kit)
        helped = help_for_all(kit)
        unavailable(kit)
    print(f"{counted['commands']} commands did their work, {counted['refusals']} refusals were named, {percents} percents "
          f"watched, {events} events read ({dispatched} dispatches), {helped} commands have help")


main(test)
