"""account_life.py: what an account keeps with a real broker: variables and secrets that a build gets and nobody else sees,
schedules, export and erasure, with the key file looked at before and after."""
import json
import os

from kit import Kit, check, main

SECRET = "canary-7f3a9c51e2"


def raw(kit):
    """Every byte that the broker keeps on disk."""
    found = {}
    for folder, _, files in os.walk(f"{kit.dir}/data"):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                found[os.path.join(folder, name)] = f.read()
    return found


def with_stdin(kit, text, *argv, ok=(0,)):
    env = {**os.environ, "ROTA_URL": kit.url, "ROTA_KEY_FILE": kit.key, "NO_COLOR": "1"}
    from kit import program
    return kit.run([program("rota"), *argv], ok=ok, env=env, input=text)


def secrets(kit):
    kit.rota("account", "set", "acme", "--tier", "pro")
    kit.rota("app", "create", "shop", "--account", "acme")
    whose = ["--app", "shop", "--account", "acme"]
    kit.rota("var", "set", "API_URL", "https://api.example", *whose)
    refused = kit.rota("var", "set", "TOKEN", SECRET, "--secret", *whose, ok=(2,))
    check("command line" in refused.stderr, "a secret on the command line was not explained")
    with_stdin(kit, SECRET + "\n", "var", "set", "TOKEN", "--secret", *whose)
    listed = kit.rota("var", "list", *whose).stdout
    check("https://api.example" in listed and SECRET not in listed, f"listed: {listed}")
    out = f"{kit.dir}/seen"
    kit.worker(runner=kit.script("run", f'#!/bin/sh\nprintf "%s %s" "$API_URL" "$TOKEN" > {out}\ncat > /dev/null\n'))
    job = kit.publish(account="acme", app="shop")
    kit.wait_state(job, "succeeded")
    with open(out) as f:
        check(f.read() == f"https://api.example {SECRET}", "the build did not get its variables")
    kit.restart()
    job = kit.publish(account="acme", app="shop")
    kit.wait_state(job, "succeeded")
    for path, content in raw(kit).items():
        check(SECRET.encode() not in content, f"the secret stands in {path}")
    mode = os.stat(f"{kit.dir}/data/keys/app.keys").st_mode & 0o777
    check(mode == 0o600, f"app.keys has mode {mode:o}")
    print("2 builds got the variable and the secret; the secret's bytes stand in no file")


def erased(kit):
    lines = [json.loads(line) for line in kit.rota("account", "export", "acme").stdout.splitlines()]
    kinds = [line["kind"] for line in lines]
    for kind in ("account", "members", "apps", "presets", "schedules", "keys", "usage", "addresses"):
        check(kinds.count(kind) == 1, f"{kind} is {kinds.count(kind)} times in the export")
    check(kinds.count("job") == 2, f"jobs in the export: {kinds.count('job')}")
    with open(f"{kit.dir}/data/keys/app.keys", "rb") as f:
        before = f.read()
    kit.rota("account", "erase", "acme", "--confirm", "acm", ok=(1, 2, 69, 77))
    kit.rota("account", "erase", "acme", "--confirm", "acme")
    kit.wait("the account to be gone", lambda: "acme" not in kit.rota("account", "list").stdout)
    kit.wait("its key to be gone", lambda: open(f"{kit.dir}/data/keys/app.keys", "rb").read()[8 + 16:8 + 48]
             != before[8 + 16:8 + 48])
    with open(f"{kit.dir}/data/keys/app.keys", "rb") as f:
        after = f.read()
    check(after[8:16] == bytes(8), "the record of the erased app's key is not free")
    kit.restart()
    check("acme" not in kit.rota("account", "list").stdout, "the account came back with a restart")
    print(f"{len(lines)} lines exported; account, jobs and key gone")


def test():
    with Kit() as kit:
        kit.start()
        secrets(kit)
        erased(kit)


main(test)
