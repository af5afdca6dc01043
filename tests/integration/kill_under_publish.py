#!/usr/bin/env python3
"""kill -9 under publish load: what was acknowledged is stored, 20 times out of 20.

Each cycle publishes from 64 threads until at least 500 acknowledgements stand in a file, kills the broker at a random
instant, starts it again and looks for every acknowledged job in the event log.
"""
import os
import time

from kit import Kit, check, main, program

CYCLES, LEAST = 20, 500


def lines(path):
    return open(path, "rb").read().count(b"\n") if os.path.exists(path) else 0


def published(kit):
    """Job ids of all publish events so far."""
    return {e["job"] for e in kit.events() if e["kind"] == "published"}


def cycle(kit, number):
    acks = f"{kit.dir}/acks-{number}"
    with open(acks, "wb") as out:
        publisher = kit.spawn([program("tests/integration/publisher"), kit.url, kit.key, "64", "1"], stdout=out)
    kit.wait(f"{LEAST} acknowledgements", lambda: lines(acks) >= LEAST)
    time.sleep(kit.random.uniform(0, 0.1))
    kit.kill()
    publisher.kill()  # what it has written down was acknowledged
    publisher.wait()
    kit.start()
    return kit.acknowledged(acks)


def test():
    with Kit() as kit:
        kit.start()
        acknowledged = {}
        for number in range(CYCLES):
            got = cycle(kit, number)
            check(len(got) >= LEAST, f"cycle {number}: {len(got)} acknowledgements")
            acknowledged.update(got)
        stored = published(kit)
        lost = set(acknowledged.values()) - stored
        check(not lost, f"{len(lost)} acknowledged jobs lost, e.g. {sorted(lost)[:3]}")
        ready = sum(t["ready"] for t in kit.json("stats")["tiers"])
        check(ready == len(stored), f"{ready} ready, {len(stored)} published")
        print(f"{CYCLES} of {CYCLES} kills, {len(acknowledged)} acknowledged, {len(stored)} stored, 0 lost")


main(test)
