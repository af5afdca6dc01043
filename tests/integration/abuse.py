#!/usr/bin/env python3
"""abuse.py: reviews as an operator meets them, with a real broker behind the command.

Two accounts publish through a gateway from one address, apps of similar names, within minutes, on the day they were
made: 55 points. The second is flagged and goes on; a person reads the evidence, confirms, and later lets it go. Each
step by `rota review`, `rota address` and what the account itself gets to see. Why it matters: a review that nobody can
read or decide would hold customers for ever.
"""
import re
import time
from pathlib import Path

from kit import Kit, check, main

PAGE = Path(__file__).resolve().parents[2] / "docs/PROTOCOL.md"
ADDRESS = "203.0.113.7"
SECONDS_A_DAY = 86400


def speaker():
    """The example's functions, without the program below them."""
    (block,) = (b for b in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "path, key_file" in b)
    names = {}
    exec(block[:block.index("path, key_file")], names)  # the page is ours
    return names["field"], names["fields"], names["call"]


field, fields, call = speaker()


def publish_from(kit, key_file, account, app, address):
    """Through the gateway: the job, or the name of the error."""
    key, environment = Path(key_file).read_text().split()
    job = field(1, account) + field(2, app) + field(4, "task")
    origin = field(1, "someone") + field(2, address)
    request = field(1, 1) + field(2, key) + field(3, environment) + field(4, origin) + field(17, job)
    reply = fields(call(f"{kit.dir}/sock", request))
    return fields(reply[2])[1].decode() if 2 in reply else fields(reply[17])[1].decode()


def refused(kit, name, *argv):
    said = kit.rota(*argv, ok=range(1, 128)).stderr
    check(f"({name})" in said, f"{' '.join(argv)}: {name} was expected: {said}")
    return 1


def wait_for_a_day_with_room():
    """Both accounts must be made on one UTC day."""
    while time.time() % SECONDS_A_DAY > SECONDS_A_DAY - 30:
        time.sleep(1)


def two_alike(kit):
    gateway = f"{kit.dir}/gateway.key"
    kit.rota("key", "create", "--role", "gateway", "--name", "front", "--out", gateway)
    for account, app in ("ann", "Flower Shop"), ("bob", "flower-shops 2"):
        kit.account(account, "free")
        kit.rota("app", "create", app, "--account", account)
    first = publish_from(kit, gateway, "ann", "Flower Shop", ADDRESS)
    second = publish_from(kit, gateway, "bob", "flower-shops 2", ADDRESS)
    check(first.startswith("job_") and second.startswith("job_"), f"{first}, {second}")
    return gateway, second


def flagged(kit, job):
    (review,) = kit.json("review", "list")["reviews"]
    check((review["account"], review["score"], review["state"]) == ("bob", 55, "flagged"), str(review))
    check([e["kind"] for e in review["evidences"]] == ["ip", "names", "same_day", "minutes"], str(review))
    check(all("accounts" not in e and "value" not in e for e in review["evidences"]), str(review))
    check(kit.status(job)["state"] == "ready", "a flag stops nothing")
    shown = kit.rota("review", "show", str(review["review"])).stdout
    for words in ("the same network address as 1 other account", "app names like those of 1 other account",
                  "created on the same UTC day as 1 of them", "published within 5 minutes of 1 of them", "ann"):
        check(words in shown, f"{words!r} is not in {shown}")
    return str(review["review"])


def confirmed(kit, number, gateway, job):
    decided = kit.json("review", "confirm", number, "--reviewer", "Carla", "--reason", "one person, two trials")
    check((decided["state"], decided["reviewer"]) == ("confirmed", "Carla"), str(decided))
    check(publish_from(kit, gateway, "bob", "flower-shops 2", ADDRESS) == "ACCOUNT_BLOCKED", "bob is blocked")
    shown = kit.status(job)
    check((shown["state"], shown["reason"], shown["by"]) == ("held", "BLOCKED", f"review {number}"), str(shown))
    check(not kit.json("review", "list")["reviews"], "nothing is open any more")
    listed = kit.rota("review", "list", "--state", "confirmed").stdout
    check("bob" in listed and "Carla" in listed, listed)


def released(kit, number, gateway, job):
    kit.restart()
    check(kit.status(job)["state"] == "held", "a restart changes nothing")
    kit.rota("review", "release", number, "--reviewer", "Carla", "--reason", "it was a class of students")
    check(kit.status(job)["state"] == "ready", "its job waits as before")
    check(publish_from(kit, gateway, "bob", "flower-shops 2", ADDRESS).startswith("job_"), "bob publishes again")
    shown = kit.rota("review", "show", number).stdout
    check("one person, two trials" in shown and "a class of students" in shown, shown)


def addresses(kit):
    table = kit.rota("address", "list", "bob", "--reason", "ticket 12").stdout
    check(ADDRESS in table and "abuse prevention" in table, table)
    (one,) = kit.json("address", "list", "ann", "--reason", "ticket 12")["addresses"]
    kept_ms = one["expires_ms"] - one["last_ms"]
    check(kept_ms == 30 * SECONDS_A_DAY * 1000, f"kept for {kept_ms} ms")


def test():
    wait_for_a_day_with_room()
    with Kit() as kit:
        kit.start()
        gateway, job = two_alike(kit)
        number = flagged(kit, job)
        said = refused(kit, "REVIEWER_NEEDED", "review", "confirm", number, "--reason", "why")
        said += refused(kit, "REVIEWER_NEEDED", "review", "dismiss", number, "--reviewer", "Carla")
        said += refused(kit, "REVIEW_UNKNOWN", "review", "show", "4711")
        said += refused(kit, "REASON_NEEDED", "address", "list", "bob")
        confirmed(kit, number, gateway, job)
        said += refused(kit, "REVIEW_CLOSED", "review", "dismiss", number, "--reviewer", "Dan", "--reason", "no")
        released(kit, number, gateway, job)
        addresses(kit)
        acts = [e["op"] for e in kit.json("trail")["entries"]]
        want = {"review_get": 2, "review_decide": 2, "address_list": 2}
        check({op: acts.count(op) for op in want} == want, f"the trail has {acts}")
        print(f"1 review read, confirmed and released; {said} refusals; {sum(want.values())} acts in the trail")


main(test)
