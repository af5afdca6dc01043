"""git_source.py: a source out of git, from `rota publish` to the commit in the log, with real git on both sides.

It matters because a ref moves and a token is worth stealing: what was built must be known to the commit, and the token
may be seen by the git host alone. The repository has no lockfile, so each build ends right behind its fetch. Those that
are killed on their way have one, and a registry that does not answer.
"""
import glob
import json
import os
import re
import select
import socket
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


class Stalled:
    """A registry that takes connections and says nothing: an install is there when it is asked, and stays."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.held = []
        return self

    def __exit__(self, kind, value, trace):
        for one in [self.listener, *self.held]:
            one.close()

    def asked(self, kit, job, what, seconds=60):
        """Returns when an install of this job has come."""
        readable, _, _ = select.select([self.listener], [], [], seconds)
        check(readable, f"{what}: no install came within {seconds} s: {kit.status(job)}\n{kit.rota('logs', job).stdout}")
        self.held.append(self.listener.accept()[0])

    def files(self):
        at = {"version": "1.0.0", "integrity": "sha512-" + 86 * "A" + "=="}
        lock = {"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": True,
                "packages": {"": {"name": "app", "version": "1.0.0", "dependencies": {"x": "1.0.0"}}, "node_modules/x": at}}
        return {"package.json": json.dumps({"name": "app", "version": "1.0.0", "dependencies": {"x": "1.0.0"}}),
                "package-lock.json": json.dumps(lock)}


def cut_down(kit, remote, stalled, url, name):
    """Publishes the branch `main`, kills the first attempt's worker behind the fetch; the job."""
    job = kit.rota("publish", "--app", "app", "--platform", "ios", "--source", f"git:{url}@main").stdout.split()[0]
    worker = pinning(kit, remote, stalled, f"{name}-1")
    stalled.asked(kit, job, f"{name}, attempt 1")
    worker.kill()
    worker.wait()
    return job


def pinning(kit, remote, stalled, name):
    return kit.worker("--git-host", f"127.0.0.1:{remote.git}", name=name,
                      env={**remote.env, "NPM_CONFIG_REGISTRY": f"{stalled.url}/"})


def pinned(remote, url):
    """The branch moves between two attempts, and the job does not: it shows its commit, and builds that one."""
    with Stalled() as stalled, Kit() as kit:
        kit.start("--git-host", f"127.0.0.1:{remote.git}", "--lease-ms", "2000")
        kit.rota("app", "create", "app")
        commit = remote.repository("pinned.git", stalled.files())
        first = commit({"a": "1"})
        job = cut_down(kit, remote, stalled, f"{url}/pinned.git", "moves")
        os.unlink(f"{remote.dir}/tree-pinned.git/package-lock.json")
        second = commit({"a": "2"})  # whoever builds this one fails LOCKFILE_MISSING
        seen = kit.status(job)
        check(seen.get("commit") == first and seen["source"].endswith("@main"), f"status: {seen}")
        check(re.search(rf"commit +{first}", kit.rota("status", job).stdout), "rota status does not show the commit")
        worker = pinning(kit, remote, stalled, "moves-2")
        kit.wait("attempt 2", lambda: kit.status(job)["attempt"] == 2 and kit.status(job)["state"] != "ready", 60)
        kit.wait("attempt 2 to be past its fetch", lambda: kit.status(job).get("phase") not in ("", "fetch", None) or
                 kit.status(job)["state"] == "failed", 60)
        seen, log = kit.status(job), kit.rota("logs", job, ok=(0, 1)).stdout
        check(seen["state"] != "failed", f"attempt 2 built another commit: {seen.get('error')}\n{log}")
        stalled.asked(kit, job, "moves, attempt 2")
        log = kit.rota("logs", job, ok=(0, 1)).stdout
        check(f"is commit {first}, as an earlier attempt found it" in log and second not in log, f"attempt 2: {log}")
        kit.rota("cancel", job)
        kit.wait_state(job, "cancelled")
        check(kit.status(job).get("commit") == first, "the commit of an ended job is gone")
        worker.terminate()
        worker.wait()
        gone(kit, remote, stalled, url)
        exact = kit.rota("publish", "--app", "app", "--platform", "ios", "--source",
                         f"git:{url}/pinned.git@{second}").stdout.split()[0]
        kit.wait_state(exact, "failed", seconds=60)
        check("commit" not in kit.status(exact), "a job that names its commit has another")
        print("attempt 2 built the commit of attempt 1, not the branch's new one; one that is gone is named")


def gone(kit, remote, stalled, url):
    """The commit is taken out of the repository between two attempts."""
    commit = remote.repository("gone.git", stalled.files())
    first = commit({"a": "1"})
    job = cut_down(kit, remote, stalled, f"{url}/gone.git", "gone")
    bare, tree = f"{remote.dir}/git/gone.git", f"{remote.dir}/tree-gone.git"
    subprocess.run(["git", "-C", tree, "update-ref", "-d", "HEAD"], check=True)
    commit({"a": "2"})
    subprocess.run(["git", "-C", bare, "-c", "gc.pruneExpire=now", "gc", "-q", "--prune=now"], check=True)
    check(subprocess.run(["git", "-C", bare, "cat-file", "-e", first], capture_output=True).returncode, "it is still there")
    pinning(kit, remote, stalled, "gone-2")
    kit.wait_state(job, "failed", seconds=60)
    error = kit.status(job)["error"]
    check(error["name"] == "GIT_COMMIT_GONE" and first in error["text"], f"a commit that is gone: {error}")


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


def lent(kit, remote, url):
    """An app with a repository has its token go there alone; who may publish cannot read with it what else it opens."""
    commit = remote.repository("private/other.git", {"package.json": PACKAGE})
    other = commit({"a": "1"})
    is_fetched(built(kit, f"{url}/private/other.git", "main"), other, "an app without a repository")
    kit.rota("app", "set", "app", "--repository", f"HTTPS://127.0.0.1:{remote.git}/private/app/")
    before = len(remote.requests)
    name, text, log = built(kit, f"{url}/private/other.git", "main")
    check(name == "GIT_REFUSED" and "for the app's own repository alone" in text, f"another repository: {name} {text}")
    check("ROTA_GIT_TOKEN is left out" in log, f"no word on the token: {log}")
    end = built(kit, f"{url}/open.git", "main")
    check(end[0] == "LOCKFILE_MISSING" and "ROTA_GIT_TOKEN is left out" in end[2], f"one that needs no token: {end}")
    sent = [r for r in remote.requests[before:] if r["user"]]
    check(len(remote.requests) > before and not sent, f"the token was sent: {sent}")
    end = built(kit, f"{url}/private/app.git", "main")
    check(end[0] == "LOCKFILE_MISSING" and "left out: " not in end[2], f"the app's own: {end}")
    kit.rota("app", "set", "app", "--repository", "")
    is_fetched(built(kit, f"{url}/private/other.git", "main"), other, "no repository again")
    print("a token for one repository: two others did not get it")


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
        lent(kit, remote, url)
        refusals(kit, remote, url)
        worker.terminate()
        worker.wait()
        kit.worker(name="w2", env=remote.env)  # whose operator allows other hosts
        end = built(kit, f"{url}/open.git", "main")
        check(end[0] == "GIT_HOST_NOT_ALLOWED" and "this worker" in end[1], f"the worker's own list: {end[:2]}")
        leaks(kit, remote)
        pinned(remote, url)
        print(f"{len([r for r in remote.requests if r['at'] == 'git'])} requests to git, none elsewhere")
        check(not [r for r in remote.requests if r["at"] != "git"], "another port was asked")


main(test)
