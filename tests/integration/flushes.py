#!/usr/bin/env python3
"""Persist, then speak, and when persisting fails, stop.

First strace watches a real broker: each commit makes one fdatasync and one write on LMDB's O_DSYNC descriptor, and
both come before the reply. Then a preloaded library fails flush number N = 1, 2, 3, ... with EIO while jobs are
published, leased and finished: the broker ends with 74, nothing acknowledged is lost, no job is there twice.
"""
import re
import subprocess
import sys

from kit import Failed, Kit, check, main

PUBLISHES, JOBS, APP = 30, 3, "flushed"
SHIM = sys.argv[1]


def calls_of(path):
    """The calls of the trace, (name, first argument, text), each where it ends; and fdatasync once more, as "flush", where
    it begins. strace cuts a call in two when another thread calls meanwhile."""
    begun = {}
    for line in open(path):
        thread, line = line.rstrip("\n").split(maxsplit=1)
        is_cut, is_rest = line.endswith("<unfinished ...>"), line.startswith("<... ")
        if line.startswith("fdatasync"):
            yield "flush", "", ""
        if is_cut:
            begun[thread] = line.removesuffix("<unfinished ...>")
            continue
        if is_rest:
            line = begun.pop(thread, "") + line.split("resumed>", 1)[1]
        call = re.match(r"(\w+)\((\w+)", line)
        if call:
            yield *call.groups(), line


def traced(kit):
    """The broker's life in order: "ask" (a publish is read), "flush", "sync" (begin and end of an fdatasync), "dsync" (a
    write on LMDB's O_DSYNC descriptor has ended), "tell" (a job's id is sent)."""
    dsync = set()
    for name, fd, line in calls_of(f"{kit.dir}/strace"):
        if name == "openat" and "data.mdb" in line and "O_DSYNC" in line:
            dsync.add(re.search(r"= (\d+)$", line).group(1))
        elif name == "flush":
            yield "flush"
        elif name == "fdatasync":
            yield "sync"
        elif name in ("pwrite64", "pwritev") and fd in dsync:
            yield "dsync"
        elif name == "readv" and APP in line:
            yield "ask"
        elif name == "sendmsg" and "job_" in line:
            yield "tell"


def order(kit):
    calls = "openat,fdatasync,fsync,pwrite64,pwritev,sendmsg,writev,readv"
    # Leaks are looked for by ptrace, which strace has already.
    kit.start(wrap=["strace", "-D", "-f", "-s", "200", "-o", f"{kit.dir}/strace", "-e", f"trace={calls}"],
              env={"ASAN_OPTIONS": "detect_leaks=0"})
    for _ in range(PUBLISHES):
        kit.publish(app=APP)
    kit.stop()
    events = list(traced(kit))
    syncs, dsyncs = events.count("sync"), events.count("dsync")
    check(syncs == dsyncs, f"{syncs} fdatasync, {dsyncs} O_DSYNC writes")
    pairs = [e for e in events if e in ("sync", "dsync")]
    check(pairs == ["sync", "dsync"] * syncs, "a commit's flushes are not one fdatasync and then one O_DSYNC write")
    # One client at a time: a publish is told only after a commit that began after it was asked. (Commits without a
    # client happen too: listings are folded later.)
    story = " ".join(events)
    told = re.findall(r"ask (.*?)tell", story)
    check(len(told) == PUBLISHES == events.count("ask") == events.count("tell"), f"{len(told)} publishes were told: {story}")
    early = [t for t in told if not re.search(r"flush .*?sync .*?dsync ", t)]
    check(not early, f"told before a whole commit: {early}")
    print(f"{syncs} commits: {syncs} fdatasync and {dsyncs} O_DSYNC writes, in pairs; {len(told)} publishes, each "
          "told after a commit of its own")


def publish_some(kit, acknowledged):
    for i in range(JOBS):
        try:
            acknowledged[f"key-{i}"] = kit.publish("--idempotency-key", f"key-{i}", "--timeout", "2")
        except Failed:
            return


def settled(broker):
    """Its pipes are closed a moment before it has ended."""
    try:
        broker.wait(2)
    except subprocess.TimeoutExpired:
        pass


def run(n):
    """One life in which flush n fails; False when it was never reached."""
    with Kit(seed=n) as kit:
        kit.extra = ["--lease-ms", "1000"]
        acknowledged = {}
        runner = kit.script("ok", "#!/bin/sh\nexit 0\n")
        shim = {"LD_PRELOAD": SHIM, "FLUSH_SHIM_PATH": "data.mdb", "FLUSH_SHIM_FAIL_AT": str(n),
                "ASAN_OPTIONS": "verify_asan_link_order=0"}
        try:
            kit.start(env=shim)
            kit.worker(runner=runner)
            publish_some(kit, acknowledged)
            kit.wait("the end", lambda: kit.broker.poll() is not None or
                     kit.json("stats", ok=(0, 69)).get("jobs", 1) == 0, 6)
        except (Failed, ValueError):
            settled(kit.broker)
        hit = kit.broker.poll() is not None
        check(not hit or kit.broker.returncode == 74, f"flush {n} failed: exit {kit.broker.returncode}, not 74")
        if not hit:
            kit.kill()
        kit.start()
        for i in range(JOBS):
            job = kit.publish("--idempotency-key", f"key-{i}")
            check(acknowledged.get(f"key-{i}", job) == job, f"flush {n}: {job} is not the acknowledged one")
        kit.worker(runner=runner, name="second")
        kit.wait("all jobs done", lambda: kit.json("stats").get("jobs", 1) == 0, 20)
        ended = [e["job"] for e in kit.events() if e["kind"] == "finished"]
        check(len(ended) == len(set(ended)) == JOBS, f"flush {n}: {len(ended)} ends of {JOBS} jobs")
        return hit


def test():
    with Kit() as kit:
        order(kit)
    n = 1
    while run(n):
        n += 1
        check(n < 200, "the walk does not end")
    check(n > 4, f"only {n - 1} flushes were reached")
    print(f"{n - 1} of {n - 1} failed flushes: exit 74 each time, 0 lost, 0 doubled")


main(test)
