#!/usr/bin/env python3
"""Persist, then speak, and when persisting fails, stop.

First strace watches a real broker: each commit makes one fdatasync and one write on LMDB's O_DSYNC descriptor, and
both come before the reply. Then a preloaded library fails flush number N = 1, 2, 3, ... with EIO while jobs are
published, leased and finished: the broker ends with 74, nothing acknowledged is lost, no job is there twice.
"""
import os
import re
import sys

from kit import Failed, Kit, check, main

PUBLISHES, JOBS = 30, 3
SHIM = sys.argv[1]


def traced(kit):
    """[(what, fd)] of the broker's life, in order: "sync", "dsync" or "send"."""
    dsync, events = set(), []
    for line in open(f"{kit.dir}/strace"):
        call = re.match(r"\d+ +(\w+)\((\d+|AT_FDCWD)", line)
        if not call or "unfinished" in line and call.group(1) != "sendmsg":
            resumed = re.match(r"\d+ +<\.\.\. (fdatasync) resumed", line)
            if resumed:
                events.append("sync")
            continue
        name, fd = call.groups()
        if name == "openat" and "data.mdb" in line and "O_DSYNC" in line:
            dsync.add(re.search(r"= (\d+)", line).group(1))
        elif name == "fdatasync":
            events.append("sync")
        elif name in ("pwrite64", "pwritev") and fd in dsync:
            events.append("dsync")
        elif name in ("sendmsg", "writev") and "data.mdb" not in line:
            events.append("send")
    return events


def order(kit):
    calls = "openat,fdatasync,fsync,pwrite64,pwritev,sendmsg,writev"
    kit.start(wrap=["strace", "-D", "-f", "-o", f"{kit.dir}/strace", "-e", f"trace={calls}"])
    for _ in range(PUBLISHES):
        kit.publish()
    kit.stop()
    events = traced(kit)
    syncs, dsyncs = events.count("sync"), events.count("dsync")
    check(syncs == dsyncs, f"{syncs} fdatasync, {dsyncs} O_DSYNC writes")
    check(syncs >= PUBLISHES, f"{syncs} commits for {PUBLISHES} publishes")
    # Whatever was sent between two commits follows a whole commit: sync and dsync alternate.
    pairs = [e for e in events if e != "send"]
    check(pairs == ["sync", "dsync"] * syncs, "a commit's flushes are not one fdatasync and then one O_DSYNC write")
    inside = sum(1 for i, e in enumerate(events) if e == "sync" and "send" in events[i:events.index("dsync", i)])
    print(f"{syncs} commits: {syncs} fdatasync and {dsyncs} O_DSYNC writes, in pairs; "
          f"{events.count('send')} sends, {inside} of them inside a pair")
    check(inside == 0, "something was sent between the two flushes of a commit")


def publish_some(kit, acknowledged):
    for i in range(JOBS):
        try:
            acknowledged[f"key-{i}"] = kit.publish("--idempotency-key", f"key-{i}", "--timeout", "2")
        except Failed:
            return


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
            pass
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
