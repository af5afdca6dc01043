#!/usr/bin/env python3
"""Re-applies the rotation rule to a dispatch log.

Reads the JSON lines of `rota watch --all --from 0 --json` from a file or from standard input and
uses the dispatch events alone: per pool the numbers run 1, 2, 3, ... without a gap or a repeat, and
each event's tier, c and n follow from the state before it and from its own eligible set. So anybody
who has the log can check that nobody jumped the queue, without trusting the broker's memory.

Prints "N dispatches, all as the rule says" and ends with 0, or prints the first deviation and ends
with 1. --self-test checks the checker: a right log must pass, and each way of falsifying it must be
refused.

The rule is written out here a third time, apart from the broker and from the model in tests/prop.
"""
import argparse
import json
import random
import sys

KEYS = ("seq", "at_ms", "job", "account", "pool", "worker", "tier", "number", "eligible", "c", "n",
        "attempt")


class Deviation(Exception):
    """The log is not what the rule would have made."""


def decide(c, n, eligible, most):
    """The tier that is served from state (c, n), and the state after it."""
    top = min(eligible)
    lower = [t for t in ((c + k) % 3 + 1 for k in range(3)) if t in eligible]
    if lower:
        turn = lower[0]
        if turn == top or n >= most - (c < turn):
            return turn, turn, 0
    return top, c, min(n + 1, most)


def tiers_of(bits):
    return {t for t in range(4) if bits >> t & 1}


def number_of(event, key):
    value = event[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise Deviation(f"seq {event['seq']}: {key} is {value!r}, not a whole number")
    return value


class Audit:
    def __init__(self, most=3):
        self.most = most
        self.pools = {}  # pool -> (number, c, n)
        self.seq = 0
        self.count = 0

    def event(self, event):
        if event.get("kind") != "dispatched":
            return
        missing = [key for key in KEYS if key not in event]
        if missing:
            raise Deviation(f"a dispatch event lacks {', '.join(missing)}: {event}")
        self.identity(event)
        self.rule(event)
        self.count += 1

    def identity(self, event):
        seq, attempt = number_of(event, "seq"), number_of(event, "attempt")
        if seq <= self.seq:
            raise Deviation(f"seq {seq} after {self.seq}")
        self.seq = seq
        for key in ("job", "account", "pool", "worker"):
            if not isinstance(event[key], str) or not event[key]:
                raise Deviation(f"seq {seq}: {key} is {event[key]!r}")
        if attempt < 1:
            raise Deviation(f"seq {seq}: attempt {attempt}")

    def rule(self, event):
        pool, bits = event["pool"], number_of(event, "eligible")
        number, c, n = self.pools.get(pool, (0, 3, 0))
        where = f"seq {event['seq']}, pool {pool}, dispatch {event['number']}"
        if number_of(event, "number") != number + 1:
            raise Deviation(f"{where}: the number after {number} is {number + 1}")
        if not 1 <= bits <= 15:
            raise Deviation(f"{where}: eligible set {bits} is none")
        tier, c_after, n_after = decide(c, n, tiers_of(bits), self.most)
        if event["tier"] != f"P{tier}":
            raise Deviation(f"{where}: served {event['tier']}, the rule says P{tier} "
                            f"(c {c}, n {n}, eligible {sorted(tiers_of(bits))})")
        if (number_of(event, "c"), number_of(event, "n")) != (c_after, n_after):
            raise Deviation(f"{where}: state ({event['c']}, {event['n']}), "
                            f"the rule says ({c_after}, {n_after})")
        self.pools[pool] = (number + 1, c_after, n_after)


def audit_events(events, most=3):
    audit = Audit(most)
    for event in events:
        audit.event(event)
    return audit.count


def audit_lines(lines, most):
    audit = Audit(most)
    for at, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError as error:
            raise Deviation(f"line {at} is not JSON: {error}") from None
        if not isinstance(event, dict):
            raise Deviation(f"line {at} is not an object")
        audit.event(event)
    return audit.count


# The self-test.

FOUNDING = [0, 0, 0, 1, 0, 0, 2, 0, 0, 3]


def log_make(rng, length):
    """A right log over two pools, in which the first hundred dispatches of a pool see all tiers."""
    state, events = {"task": (0, 3, 0), "bundle": (0, 3, 0)}, []
    for seq in range(1, length + 1):
        pool = rng.choice(sorted(state))
        number, c, n = state[pool]
        bits = 15 if number < 100 else rng.randint(1, 15)
        tier, c, n = decide(c, n, tiers_of(bits), 3)
        if number < 100 and tier != FOUNDING[number % 10]:
            raise AssertionError("the rule in this file is not the founding order")
        state[pool] = (number + 1, c, n)
        events.append({"seq": seq, "at_ms": 1000 + seq, "kind": "dispatched", "job": f"job_{seq}",
                       "account": f"a{tier}", "pool": pool, "worker": "w1", "tier": f"P{tier}",
                       "number": number + 1, "eligible": bits, "c": c, "n": n, "attempt": 1})
    return events


def same_pool_later(events, at):
    return next((k for k in range(at + 1, len(events))
                 if events[k]["pool"] == events[at]["pool"]), None)


def changed(events, at, **values):
    return events[:at] + [events[at] | values] + events[at + 1:]


def swapped(events, at, later):
    """Two dispatches of one pool trade everything but their place in the log."""
    bad = list(events)
    bad[at] = events[later] | {"seq": events[at]["seq"]}
    bad[later] = events[at] | {"seq": events[later]["seq"]}
    return bad


def falsified(events, at):
    """Yields (how, log) for every way to falsify the event at this place."""
    event, later = events[at], same_pool_later(events, at)
    tier = int(event["tier"][1])
    yield "repeated", events[:at + 1] + [dict(event, seq=event["seq"])] + events[at + 1:]
    if later is not None:
        yield "left out", events[:at] + events[at + 1:]
        yield "out of order", swapped(events, at, later)
    for other in range(4):
        if other != tier:
            yield f"other tier P{other}", changed(events, at, tier=f"P{other}")
    yield "served though not eligible", changed(events, at,
                                                eligible=event["eligible"] & ~(1 << tier) or 16)
    yield "no set", changed(events, at, eligible=0)
    yield "other c", changed(events, at, c=event["c"] % 3 + 1)
    yield "other n", changed(events, at, n=(event["n"] + 1) % 4)
    yield "number as text", changed(events, at, number=str(event["number"]))
    yield "number ahead", changed(events, at, number=event["number"] + 1)
    yield "seq back", changed(events, at, seq=0)
    yield "attempt 0", changed(events, at, attempt=0)
    yield "no worker", changed(events, at, worker="")
    yield "a key gone", events[:at] + [{k: v for k, v in event.items() if k != "eligible"}] + \
        events[at + 1:]


def is_refused(events):
    try:
        audit_events(events)
    except Deviation:
        return True
    return False


def self_test():
    rng = random.Random(20)
    events = log_make(rng, 400)
    noise = [{"seq": 0, "kind": "published", "job": "job_1"}]
    if audit_events(noise + events) != 400:
        raise AssertionError("a right log was not read whole")
    if audit_lines([json.dumps(event) + "\n" for event in events], 3) != 400:
        raise AssertionError("a right log was not read whole from text")
    counts = {}
    for at in range(0, len(events)):
        for how, bad in falsified(events, at):
            counts[how] = counts.get(how, 0) + 1
            if not is_refused(bad):
                print(f"not refused: event {at + 1} falsified as {how!r}: {events[at]}")
                return 1
    for how, count in counts.items():
        print(f"  {count:4d} x {how}: refused")
    print(f"a right log of {len(events)} dispatches passed, {sum(counts.values())} falsified ones "
          f"of {len(counts)} kinds were refused")
    return 0


def main():
    parser = argparse.ArgumentParser(description="Re-applies the rotation rule to a dispatch log.")
    parser.add_argument("log", nargs="?", default="-", help="file of JSON lines; - for stdin")
    parser.add_argument("--n", type=int, default=3, metavar="N", help="the N of N to 1 (3)")
    parser.add_argument("--least", type=int, default=1, metavar="COUNT",
                        help="refuse a log with fewer dispatches (1)")
    parser.add_argument("--self-test", action="store_true", help="check this checker")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    try:
        if args.log == "-":
            count = audit_lines(sys.stdin, args.n)
        else:
            with open(args.log, encoding="utf-8") as lines:
                count = audit_lines(lines, args.n)
        if count < args.least:
            raise Deviation(f"only {count} dispatches, at least {args.least} were expected")
    except Deviation as deviation:
        print(f"deviation: {deviation}")
        return 1
    print(f"{count} dispatches, all as the rule says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
