"""upgrade.py: a database of every earlier format opens, and nothing in it is lost.

fixtures/format-1.tar.gz was written by rotad 0.1.0 before the rule book: four jobs succeeded, two ready, two accounts,
an app, an account's key, idempotency keys. The broker of today must list all six, run the two, know the keys, replay the
idempotent publish, and do so again after a restart."""
import os
import subprocess
import sys

from kit import Kit, check, main

FIXTURES = sys.argv[1]


class Old(Kit):
    def __init__(self, fixture):
        super().__init__()
        self.fixture = fixture

    def __enter__(self):
        subprocess.run(["tar", "-xzf", os.path.join(FIXTURES, self.fixture), "-C", self.dir], check=True)
        os.chmod(f"{self.dir}/account.key", 0o600)
        return self


def jobs(kit):
    return {job["job"]: job["state"] for job in kit.json("list", "--limit", "50")["jobs"]}


def test():
    with Old("format-1.tar.gz") as kit:
        kit.start()
        before = jobs(kit)
        check(sorted(before.values()) == ["ready"] * 2 + ["succeeded"] * 4, f"listed: {before}")
        again = kit.rota("publish", "--class", "task", "--app", "shop", "--account", "acme", "--spec", '{"n":1}',
                         "--idempotency-key", "old-1").stdout.split()[0]
        check(again in before, "the idempotency key of an earlier format was forgotten")
        account = f"{kit.dir}/account.key"
        fresh = kit.rota("publish", "--class", "task", "--app", "shop", "--spec", '{"n":5}', key=account).stdout.split()[0]
        kit.rota("cancel", fresh, key=account)  # a key from before scopes keeps all that its role may
        kit.worker(runner=kit.script("run", "#!/bin/sh\ncat >/dev/null\n"))
        for job, state in before.items():
            if state == "ready":
                kit.wait_state(job, "succeeded")
        kit.restart()
        after = jobs(kit)
        check(sorted(after.values()) == ["cancelled"] + ["succeeded"] * 6, f"after a restart: {after}")
        print(f"format 1: {len(before)} jobs, 2 run by today's broker, 1 replayed, 0 lost")


main(test)
