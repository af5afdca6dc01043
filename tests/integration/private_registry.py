"""private_registry.py: packages from a registry that wants a token, through the whole of rota: the app's .npmrc names the
registry and a variable, the variable is a sealed secret, and a real registry hands the package out to whoever has it.

It matters because the token is worth stealing and the file comes from strangers: the registry must be one that the
operator allows, and the token may be seen by nobody but it. The app has no React Native, so a build ends in `bundle`,
right behind the install that this is about.
"""
import json
import os
import subprocess

from kit import Kit, check, main
from remote import Remote

LEFT_OUT = "save-exact=true\n"


def lockfile(remote, port=None):
    return json.dumps({"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": {
        "": {"name": "app", "version": "1.0.0", "dependencies": {"@corp/secret": "1.0.0"}},
        "node_modules/@corp/secret": {
            "version": "1.0.0", "integrity": remote.integrity,
            "resolved": f"https://127.0.0.1:{port or remote.registry}/npm/@corp/secret/-/secret-1.0.0.tgz"}}})


def files(remote, npmrc, port=None):
    return {"package.json": json.dumps({"name": "app", "version": "1.0.0", "dependencies": {"@corp/secret": "1.0.0"}}),
            "package-lock.json": lockfile(remote, port), "index.js": "require('@corp/secret')", ".npmrc": npmrc}


def built(kit, remote, commit, more, repository="app.git"):
    at = commit(more)
    before = len(remote.requests)
    job = kit.rota("publish", "--app", "app", "--platform", "ios", "--source",
                   f"git:https://127.0.0.1:{remote.git}/{repository}@{at}").stdout.split()[0]
    kit.wait_state(job, "failed", "dead", "succeeded", seconds=90)
    error = kit.status(job)["error"]
    log = kit.rota("logs", job, ok=(0, 1)).stdout
    check(remote.token not in log + json.dumps(error), "the token stands in the log")
    asked = [r for r in remote.requests[before:] if r["at"] == "registry"]
    return error["name"], error.get("text", ""), log, asked


def installed(end, what):
    name, text, log, asked = end
    check("--- bundle" in log, f"{what}: the install failed: {name} {text}\n{log}")
    check(asked and all(r["authorized"] for r in asked), f"{what}: {asked}")
    return len(asked)


def refused(end, error, says, what):
    name, text, log, asked = end
    check(name == error and says in text, f"{what}: {name} {text}\n{log}")
    check("--- install" not in log and not asked, f"{what}: it went on\n{log}")


def secret(kit, name, value):
    path = f"{kit.dir}/{name}"
    with open(path, "w") as f:
        f.write(value)
    kit.rota("var", "set", "--app", "app", "--secret", "--value-file", path, name)


def others(kit, remote, commit, rc):
    """Two more operators: one sits behind a proxy with a password, one has a registry in the clear."""
    git, here = f"127.0.0.1:{remote.git}", f"127.0.0.1:{remote.registry}"
    lists = ("--git-host", git, "--allow-registry", here)
    url = f"http://operator:pass%3Aword@127.0.0.1:{remote.upstream}"
    worker = kit.worker(*lists, name="behind", env={**remote.env, "HTTPS_PROXY": url})
    before = len(remote.requests)
    installed(built(kit, remote, commit, files(remote, rc)), "behind a proxy")
    asked = [r for r in remote.requests[before:] if r["at"] == "upstream"]
    check({r["url"] for r in asked} == {git, here} and all(r["authorized"] for r in asked), f"the upstream: {asked}")
    worker.terminate()
    worker.wait()
    hiding = kit.worker(*lists, name="hiding", env={**remote.env, "NPM_CONFIG_HTTPS_PROXY": url})
    check(hiding.wait(60) == 78 and "HTTPS_PROXY" in open(f"{kit.dir}/hiding.log").read(), "a password that npm hides")
    worker = kit.worker(*lists, name="clear", env={**remote.env, "NPM_CONFIG_REGISTRY": f"http://127.0.0.1:{remote.clear}/"})
    bare = json.loads(lockfile(remote))
    del bare["packages"]["node_modules/@corp/secret"]["resolved"]
    name, text, log, _ = built(kit, remote, commit, {**files(remote, ""), "package-lock.json": json.dumps(bare)})
    check("--- bundle" in log, f"a registry in the clear: {name} {text}\n{log}")
    check([r for r in remote.requests if r["at"] == "clear" and r["url"].endswith(".tgz")], "nothing came from it")
    worker.terminate()
    worker.wait()
    found = subprocess.run(["grep", "-rl", "pass:word\\|pass%3Aword", kit.dir], capture_output=True, text=True).stdout.split()
    check(not found, f"the operator's password stands in {found}")


def leaks(kit, remote):
    found = subprocess.run(["grep", "-rl", remote.token, kit.dir], capture_output=True, text=True).stdout.split()
    found = [p for p in found if os.path.basename(p) not in ("TOKEN", "NEW")]
    check(not found, f"the token stands in {found}")


def test():
    with Remote() as remote, Kit() as kit:
        here = f"127.0.0.1:{remote.registry}"
        scope = f"@corp:registry=https://{here}/npm/\n"
        token = f"//{here}/npm/:_authToken=${{TOKEN}}\n"
        git = f"127.0.0.1:{remote.git}"
        kit.start("--git-host", git)
        kit.rota("app", "create", "app")
        worker = kit.worker("--git-host", git, "--allow-registry", here, name="allowing", env=remote.env)
        commit = remote.repository("app.git", files(remote, ""))
        refused(built(kit, remote, commit, files(remote, scope + token)), "NPMRC_VARIABLE", "${TOKEN}", "no variable")
        kit.rota("var", "set", "--app", "app", "TOKEN", "x")
        refused(built(kit, remote, commit, files(remote, scope + token)), "NPMRC_VARIABLE", "no secret", "no secret")
        secret(kit, "TOKEN", remote.token)
        end = built(kit, remote, commit, files(remote, LEFT_OUT + scope + token))
        asked = installed(end, "with the token")
        check("left out of .npmrc: save-exact" in end[2] and f"registry {here}" in end[2], f"the log: {end[2]}")
        name, text, log, asked_wrong = built(kit, remote, commit, files(remote, scope))
        check(name == "INSTALL_FAILED" and asked_wrong and not any(r["authorized"] for r in asked_wrong),
              f"without the line of the token: {name} {text}\n{log}")
        clear = f"//{here}/npm/:_authToken={remote.token}\n"
        refused(built(kit, remote, commit, files(remote, scope + clear)), "NPMRC_SECRET", "_authToken", "in the clear")
        refused(built(kit, remote, commit, files(remote, f"registry=http://{here}/npm/\n")), "NPMRC_INVALID", "registry", "http")
        refused(built(kit, remote, commit, files(remote, "registry=https://evil.example/\n")), "REGISTRY_NOT_ALLOWED",
                "evil.example:443", "another registry")
        # Without an .npmrc nothing leads there, though the lockfile names it; nor to any other port.
        name, text, log, asked_none = built(kit, remote, commit, files(remote, ""))
        check(name == "REGISTRY_NOT_ALLOWED" and here in text and not asked_none, f"by the lockfile: {name} {text}\n{log}")
        check(f"proxy: refused {here} (not on the list), asked by npm ci" in log, f"the log has no word of it:\n{log}")
        # And not because a lockfile names a port of the same host.
        built(kit, remote, commit, files(remote, scope + token, port=remote.plain))
        worker.terminate()
        worker.wait()
        others(kit, remote, commit, scope + token)
        leaks(kit, remote)
        check(not [r for r in remote.requests if r["at"] == "plain"], "a port that nobody allows was asked")
        check(not [r for r in remote.requests if r["at"] == "main" and r["authorized"]], "the operator's registry saw the token")
        print(f"{asked} requests with the token, {len(remote.requests)} in all")


if __name__ == "__main__":
    main(test)
