"""git_source.py: a source out of git, from `rota publish` to the commit in the log, with real git on both sides.

It matters because a ref moves and a token is worth stealing: what was built must be known to the commit, and the token
may be seen by the git host alone. The repository has no lockfile, so each build ends right behind its fetch.
"""
import glob
import json
import os
import re
import subprocess

from kit import Kit, check, main
from remote import Remote

PACKAGE = json.dumps({"name": "app", "version": "1.0.0"})
HOSTILE = {
    "package.json": PACKAGE,
    "index.js": "x",
    ".gitattributes": "index.js export-ignore\n* filter=evil\n",
    "node_modules/evil/index.js": "evil",
}


def built(kit, url, ref, **more):
    """Publishes and waits; the error's name, the text, and the log."""
    job = kit.rota("publish", "--app", "app", "--platform", "ios", "--source", f"git:{url}@{ref}", **more).stdout.split()[0]
    kit.wait_state(job, "failed", "dead", "succeeded", seconds=60)
    said = kit.status(job)
    return said["error"]["name"], said["error"].get("text", ""), kit.rota("logs", job, ok=(0, 1)).stdout


def secret(kit, name, value):
    path = f"{kit.dir}/{name}"
    with open(path, "w") as f:
        f.write(value)
    kit.rota("var", "set", "--app", "app", "--secret", "--value-file", path, name)


def is_fetched(end, commit, what):
    name, text, log = end
    check(name == "LOCKFILE_MISSING", f"{what}: {name} {text}\n{log}")
    check(f"is commit {commit}" in log, f"{what}: the log does not name {commit}:\n{log}")


def refs(kit, remote, url):
    commit = remote.repository("open.git", {"package.json": PACKAGE})
    first = commit({"a": "1"})
    is_fetched(built(kit, url, "main"), first, "a branch")
    commit.tag("v1")
    second = commit({"a": "2"})
    is_fetched(built(kit, url, "v1"), first, "a tag")
    is_fetched(built(kit, url, first), first, "a commit")
    branch = commit({"a": "3"}, ref="feature/x")
    is_fetched(built(kit, url, "feature/x"), branch, "a branch with a slash")
    name, text, _ = built(kit, url, "nowhere")
    check(name == "GIT_REFUSED" and "nowhere" in text, f"no such ref: {name} {text}")
    name, text, _ = built(kit, url, "0" * 40)
    check(name == "GIT_REFUSED", f"no such commit: {name} {text}")
    return second


def moved(kit, remote, url):
    """The ref moves between publish and build: what the log names is what was built."""
    commit = remote.repository("moving.git", {"package.json": PACKAGE})
    before = commit({"a": "1"})
    job = kit.rota("publish", "--app", "app", "--platform", "ios", "--hold",
                   "--source", f"git:{url}/moving.git@main").stdout.split()[0]
    after = commit({"a": "2"})
    kit.rota("release", job)
    kit.wait_state(job, "failed", seconds=60)
    log = kit.rota("logs", job).stdout
    check(f"is commit {after}" in log and before not in log, f"moved: {log}")


def hostile(kit, remote, url):
    commit = remote.repository("hostile.git", HOSTILE)
    commit({".npmrc": "fund=false\n", ".gitmodules": "[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c id\n"})
    name, text, log = built(kit, f"{url}/hostile.git", "main")
    check(name == "LOCKFILE_MISSING", f"hostile: {name} {text}\n{log}")
    check("submodules are not fetched" in log, f"no word on submodules: {log}")
    entries = int(re.search(r"unpacked (\d+) entries", log).group(1))
    left = int(re.search(r"left out (\d+)", log).group(1))
    check(entries == 8 and left == 4, f"{entries} entries, {left} left out: {log}")
    link = remote.repository("link.git", {"package.json": PACKAGE})
    tree = f"{remote.dir}/tree-link.git"
    os.symlink("/etc/passwd", f"{tree}/out")
    link({"a": "1"})
    name, text, _ = built(kit, f"{url}/link.git", "main")
    check(name == "ARCHIVE_UNSAFE" and "`out`" in text, f"a link that leaves: {name} {text}")


def tokens(kit, remote, url):
    commit = remote.repository("private/app.git", {"package.json": PACKAGE})
    at = commit({"a": "1"})
    name, text, _ = built(kit, f"{url}/private/app.git", "main")
    check(name == "GIT_REFUSED" and "has no ROTA_GIT_TOKEN" in text, f"without a token: {name} {text}")
    secret(kit, "ROTA_GIT_TOKEN", "wrong_" + "9" * 20)
    end = built(kit, f"{url}/private/app.git", "main")
    check(end[0] == "GIT_REFUSED" and "does not accept" in end[1] and "9999" not in "".join(end), f"a wrong token: {end}")
    secret(kit, "ROTA_GIT_TOKEN", remote.token)
    end = built(kit, f"{url}/private/app.git", "main")
    is_fetched(end, at, "with the token")
    secret(kit, "ROTA_GIT_USER", "somebody")
    is_fetched(built(kit, f"{url}/private/app.git", "main"), at, "with a user")
    users = [r["user"] for r in remote.requests if r["at"] == "git" and r["url"].startswith("/private")]
    check("git" in users and "somebody" in users, f"users: {set(users)}")
    before = len(remote.requests)
    end = built(kit, f"{url}/elsewhere/app.git", "main")
    check(end[0] == "GIT_HOST_NOT_ALLOWED" and str(remote.registry) in end[1], f"sent elsewhere: {end[:2]}")
    check(all(r["at"] == "git" for r in remote.requests[before:]), "the token's request went elsewhere")
    check(built(kit, f"{url}/broken/app.git", "main", )[0] == "GIT_UNREACHABLE", "a broken host")


def refusals(kit, remote, url):
    for source, error in (
        ("git:https://evil.example/a/b@main", "GIT_HOST_NOT_ALLOWED"),
        (f"git:https://127.0.0.1:{remote.registry}/a.git@main", "GIT_HOST_NOT_ALLOWED"),
        ("git:https://127.0.0.1/a.git@main", "GIT_HOST_NOT_ALLOWED"),
        (f"git:https://user:{remote.token}@127.0.0.1:{remote.git}/a.git@main", "SOURCE_INVALID"),
        (f"git:http://127.0.0.1:{remote.git}/a.git@main", "SOURCE_INVALID"),
        (f"git:{url}/open.git", "SOURCE_INVALID"),
        (f"git:{url}/open.git@--upload-pack=x", "SOURCE_INVALID"),
        ("git:ext::sh@main", "SOURCE_INVALID"),
    ):
        done = kit.rota("publish", "--app", "app", "--platform", "ios", "--source", source, ok=(1, 2, 77))
        check(error in done.stderr, f"{source}: {done.stderr}")
        check(remote.token not in done.stderr, "the refusal repeats a secret")
    done = kit.rota("publish", "--app", "app", "--class", "task", "--source", f"git:{url}/open.git@main", ok=(1, 2))
    check("SOURCE_INVALID" in done.stderr, f"class task: {done.stderr}")


def leaks(kit, remote):
    """The token may be in the account's sealed variables and nowhere else."""
    found = subprocess.run(["grep", "-rl", remote.token, kit.dir], capture_output=True, text=True).stdout.split()
    found = [p for p in found if p != f"{kit.dir}/ROTA_GIT_TOKEN"]
    check(not found, f"the token stands in {found}")
    check(not glob.glob("/run/rota-worker/net-*"), "a /net folder is left on the host")


def test():
    with Remote() as remote, Kit() as kit:
        url = f"https://127.0.0.1:{remote.git}"
        kit.start("--git-host", f"127.0.0.1:{remote.git}")
        kit.rota("app", "create", "app")
        worker = kit.worker("--git-host", f"127.0.0.1:{remote.git}", env=remote.env)
        refs(kit, remote, f"{url}/open.git")
        moved(kit, remote, url)
        hostile(kit, remote, url)
        tokens(kit, remote, url)
        refusals(kit, remote, url)
        worker.terminate()
        worker.wait()
        kit.worker(name="w2", env=remote.env)  # whose operator allows other hosts
        end = built(kit, f"{url}/open.git", "main")
        check(end[0] == "GIT_HOST_NOT_ALLOWED" and "this worker" in end[1], f"the worker's own list: {end[:2]}")
        leaks(kit, remote)
        print(f"{len([r for r in remote.requests if r['at'] == 'git'])} requests to git, none elsewhere")
        check(not [r for r in remote.requests if r["at"] != "git"], "another port was asked")


main(test)
