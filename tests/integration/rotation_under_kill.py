#!/usr/bin/env python3
"""The founding string from a real broker, with kill -9 at 20 random instants on the way.

Four accounts of four tiers, 40 task jobs each, one slot that appends its tier to a file. Shown here because the order
is the product's promise, and because it must survive any crash: exactly 160 jobs succeed, and the dispatch events
alone, re-applied, follow the rule.
"""
import os
import subprocess
import time

from kit import Kit, check, main

STRING = "P0P0P0P1P0P0P2P0P0P3"
TIERS = {"e": "enterprise", "p": "pro", "s": "starter", "f": "free"}


def publish_all(kit):
    for account, tier in TIERS.items():
        kit.account(account, tier)
        for _ in range(40):
            kit.publish(account=account)


def order(path):
    with open(path) as f:
        return f.read().split()


def backlogged(tiers):
    """How many dispatches had all four tiers waiting: until the first tier has had its 40."""
    for i in range(len(tiers)):
        if any(tiers[:i].count(t) == 40 for t in set(tiers)):
            return i
    return len(tiers)


def all_done(kit):
    done = [e for e in kit.events() if e["kind"] == "finished" and e["state"] == "succeeded"]
    return len({e["job"] for e in done}) == 160


def run(kills):
    with Kit(seed=kills) as kit:
        kit.extra = ["--lease-ms", "3000"]
        kit.start()
        publish_all(kit)
        tiers_file = f"{kit.dir}/tiers"
        runner = kit.script("append", f"#!/bin/sh\necho $ROTA_TIER >>{tiers_file}\n")
        kit.worker(runner=runner)
        for _ in range(kills):
            time.sleep(kit.random.uniform(0.02, 0.25))
            kit.restart()
        kit.wait("160 jobs succeeded", lambda: all_done(kit), 120)
        events = kit.events()
        dispatched = [e for e in events if e["kind"] == "dispatched"]
        tiers = [e["tier"] for e in dispatched]
        together = backlogged(tiers)
        check("".join(tiers[:together]) == (STRING * 20)[: 2 * together], f"not the string: {tiers[:together]}")
        succeeded = [e["job"] for e in events if e["kind"] == "finished" and e["state"] == "succeeded"]
        check(len(succeeded) == len(set(succeeded)) == 160, f"{len(succeeded)} ends")
        if not kills:
            check(order(tiers_file) == tiers, "the runner saw another order than the log")
        log = kit.rota("watch", "--all", "--from", "0", "--json").stdout
        audit = os.path.join(os.path.dirname(__file__), "audit_log.py")
        said = subprocess.run([audit], input=log, capture_output=True, text=True)
        check(said.returncode == 0, f"audit: {said.stdout}{said.stderr}")
        check(f"{len(dispatched)} dispatches, all as the rule says" in kit.rota("audit").stdout, "rota audit")
        print(f"{kills} kills: {together} dispatches in the founding order, {len(dispatched)} in all, "
              f"160 of 160 succeeded once; {said.stdout.strip()}")


def test():
    run(0)
    run(20)


main(test)
