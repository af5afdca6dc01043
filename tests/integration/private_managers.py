#!/usr/bin/env python3
"""private_managers.py: what private_registry.py shows for npm, for Yarn 1, Yarn 2 and later, and pnpm: a package from a
registry that wants a token, which is a sealed secret of the app. Yarn 2 and later have their own file for it,
.yarnrc.yml, which must hold to the rules of an .npmrc: https, registries that the operator allows, tokens by name.

Needs the managers of scripts/setup (ROTA_MANAGERS). Yarn's lockfile has a checksum of an archive that Yarn makes, so the
real program writes it, outside of rota and with the token in its environment.
"""
import json
import os
import subprocess
import sys
import tempfile

from kit import Kit, check, main
from private_registry import built, installed, leaks, refused, secret
from remote import Remote

PACKAGE = json.dumps({"name": "app", "version": "1.0.0", "dependencies": {"@corp/secret": "1.0.0"}})
MANAGERS = os.environ.get("ROTA_MANAGERS", "")
BERRIES = ("yarn-3", "yarn-4.13", "yarn-4.14", "yarn-4")
KEPT = "node_modules from the cache"


def classic_lock(remote):
    return ('# yarn lockfile v1\n\n\n"@corp/secret@1.0.0":\n  version "1.0.0"\n'
            f'  resolved "https://127.0.0.1:{remote.registry}/npm/@corp/secret/-/secret-1.0.0.tgz"\n'
            f'  integrity {remote.integrity}\n')


def pnpm_lock(remote, version):
    return (f"lockfileVersion: '{version}'\n\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\n\n"
            "importers:\n\n  .:\n    dependencies:\n      '@corp/secret':\n        specifier: 1.0.0\n        version: 1.0.0\n\n"
            f"packages:\n\n  '@corp/secret@1.0.0':\n    resolution: {{integrity: {remote.integrity}}}\n\n"
            "snapshots:\n\n  '@corp/secret@1.0.0': {}\n")


def berry_lock(remote, program):
    """yarn.lock as this Yarn writes it."""
    cli = f"{MANAGERS}/{program}/node_modules/@yarnpkg/cli-dist/bin/yarn.js"
    young = "npmPreapprovedPackages: ['@corp/secret']\n" if program == "yarn-4" else ""
    with tempfile.TemporaryDirectory(prefix="rota-berry-") as folder:
        os.mkdir(f"{folder}/app")
        for name, text in (("package.json", PACKAGE), ("yarn.lock", ""), (".yarnrc.yml", scoped(remote, "${TOKEN}") + young)):
            with open(f"{folder}/app/{name}", "w") as f:
                f.write(text)
        env = {**os.environ, **remote.env, "HOME": folder, "TOKEN": remote.token, "YARN_NODE_LINKER": "node-modules",
               "YARN_ENABLE_TELEMETRY": "0", "YARN_ENABLE_GLOBAL_CACHE": "false", "YARN_GLOBAL_FOLDER": f"{folder}/global",
               "YARN_ENABLE_IMMUTABLE_INSTALLS": "false"}
        done = subprocess.run(["node", cli, "install", "--mode=skip-build"], cwd=f"{folder}/app", env=env, capture_output=True,
                              text=True)
        check(done.returncode == 0, f"{program} itself: {done.stdout}{done.stderr}")
        with open(f"{folder}/app/yarn.lock") as f:
            return f.read()


def server(remote):
    return f"https://127.0.0.1:{remote.registry}/npm"


def scoped(remote, token, url=None):
    return f"npmScopes:\n  corp:\n    npmRegistryServer: {url or server(remote)}\n    npmAuthToken: {token}\n"


def npmrc(remote):
    here = server(remote).removeprefix("https:")
    return f"@corp:registry=https:{here}/\n{here}/:_authToken=${{TOKEN}}\n"


def one(kit, remote, name, files, more=({},)):
    """A repository of its own; each of `more` is committed on top and built. Gives how each build ended."""
    commit = remote.repository(f"{name}.git", {"package.json": PACKAGE, "index.js": "", **files})
    return [built(kit, remote, commit, overlay, f"{name}.git") for overlay in more]


def by_npmrc(kit, remote):
    rc = {".npmrc": npmrc(remote)}
    rows = {"yarn-1": {"yarn.lock": classic_lock(remote)}, "pnpm-10": {"pnpm-lock.yaml": pnpm_lock(remote, "9.0")},
            "pnpm-9": {"pnpm-lock.yaml": pnpm_lock(remote, "9.0"),
                       "package.json": PACKAGE[:-1] + ', "packageManager": "pnpm@9.15.0"}'}}
    for name, files in rows.items():
        # Yarn's own file is none of theirs, whatever it names.
        other = {".yarnrc.yml": "npmRegistryServer: https://evil.example\n"}
        plain, beside = one(kit, remote, name, {**files, **rc}, ({}, other))
        n = installed(plain, name)
        installed(beside, f"{name} beside a file of Yarn's")
        print(f"{name}: {n} requests, each with the token")
    (end,) = one(kit, remote, "no-token", {**rows["yarn-1"], ".npmrc": npmrc(remote).splitlines()[0] + "\n"})
    check(end[0] == "INSTALL_FAILED" and not any(r["authorized"] for r in end[3]), f"yarn-1 without a token: {end}")


def by_yarnrc(kit, remote, lock, name):
    """The middle ones of the Yarns read one file, the oldest and the newest whatever it may say."""
    top = f"npmRegistryServer: {server(remote)}\nnpmRegistries:\n  {server(remote)}:\n    npmAuthToken: ${{TOKEN}}\n"
    wide = f"npmRegistryServer: {server(remote)}/\nnpmAlwaysAuth: true\nnpmAuthToken: \"${{TOKEN:-}}\"\nyarnPath: x.cjs\n"
    texts = {"scope": scoped(remote, "${TOKEN}"), "registry": top, "top": wide}
    over = {".npmrc": npmrc(remote), ".yarnrc.yml": ""}
    last = {".npmrc": f"@corp:registry=https://127.0.0.1:{remote.main}/\n", ".yarnrc.yml": texts["scope"]}
    more = [{".yarnrc.yml": text} for text in texts.values()] + [over, last]
    is_all = name in (BERRIES[0], BERRIES[-1])
    ends = one(kit, remote, name, {"yarn.lock": lock}, more if is_all else more[:1])
    ways = [*texts, "an .npmrc", "an .npmrc that it overrules"][:len(ends)]
    n = [installed(end, f"{name}, {way}") for end, way in zip(ends, ways)]
    check(not is_all or "left out of .yarnrc.yml: yarnPath" in ends[2][2], "the log names no setting")
    check(not any(KEPT in end[2] for end in ends), "what came by a token was kept for later builds")
    check(all(f"registry 127.0.0.1:{remote.registry}" in end[2] for end in ends), "the log names no registry")
    print(f"{name}: {n} requests by {len(ways)} ways, each with the token")


def own_registry(kit, remote, lock):
    """The operator's registry, named by the app itself, is nothing private: its packages are kept as ever."""
    url = f"https://127.0.0.1:{remote.main}"
    rows = {"own-npmrc": {"yarn.lock": classic_lock(remote), ".npmrc": f"registry={url}/\n"},
            "own-yarnrc": {"yarn.lock": lock, ".yarnrc.yml": f"npmRegistryServer: {url}\n"}}
    for name, files in rows.items():
        first, second = one(kit, remote, name, files, ({}, {"index.js": "1"}))
        check("--- bundle" in first[2] and KEPT not in first[2], f"{name}: {first[0]} {first[1]}\n{first[2]}")
        check(KEPT in second[2], f"{name}: nothing was kept\n{second[2]}")
    print(f"{len(rows)} apps that name the operator's own registry found their packages kept")


def refusals(kit, remote, lock):
    token = "${TOKEN}"
    rows = [(scoped(remote, remote.token), "NPMRC_SECRET", "npmAuthToken"),
            (scoped(remote, f"${{NONE:-{remote.token}}}"), "NPMRC_SECRET", "npmAuthToken"),
            ("npmAuthIdent: a:b\n", "NPMRC_SECRET", "npmAuthIdent"),
            (scoped(remote, "${NONE}"), "NPMRC_VARIABLE", "the app's .yarnrc.yml names ${NONE}, which is not set"),
            (scoped(remote, "${OPEN}"), "NPMRC_VARIABLE", "a variable that is no secret"),
            (scoped(remote, token, "https://evil.example"), "REGISTRY_NOT_ALLOWED", "evil.example:443"),
            (scoped(remote, token, f"https://127.0.0.1:{remote.plain}"), "REGISTRY_NOT_ALLOWED", str(remote.plain)),
            (scoped(remote, token, f"http://127.0.0.1:{remote.plain}"), "NPMRC_INVALID", "corp"),
            (f"npmRegistries:\n  //evil.example:\n    npmAuthToken: {token}\n", "REGISTRY_NOT_ALLOWED", "evil.example"),
            (f"npmAuthToken: {token}\n", "NPMRC_INVALID", "npmRegistryServer")]
    ends = one(kit, remote, "refused", {"yarn.lock": lock}, [{".yarnrc.yml": row[0]} for row in rows])
    for end, (text, error, says) in zip(ends, rows):
        refused(end, error, says, text.replace(remote.token, "TOKEN"))
    print(f"{len(rows)} files refused by name, before an install began")


def test():
    if not os.path.isdir(f"{MANAGERS}/yarn-4"):
        print("no package managers here (scripts/setup, ROTA_MANAGERS): 0 builds")
        sys.exit(77)
    with Remote() as remote, Kit() as kit:
        git = f"127.0.0.1:{remote.git}"
        locks = {name: berry_lock(remote, name) for name in BERRIES}
        kit.start("--git-host", git)
        kit.rota("app", "create", "app")
        kit.worker("--git-host", git, "--allow-registry", f"127.0.0.1:{remote.registry}", env=remote.env)
        secret(kit, "TOKEN", remote.token)
        kit.rota("var", "set", "--app", "app", "OPEN", "x")
        by_npmrc(kit, remote)
        for name, lock in locks.items():
            by_yarnrc(kit, remote, lock, name)
        refusals(kit, remote, locks["yarn-4"])
        own_registry(kit, remote, locks["yarn-4"])
        leaks(kit, remote)
        check(not [r for r in remote.requests if r["at"] == "plain"], "a port that nobody allows was asked")
        check(not [r for r in remote.requests if r["at"] == "main" and r["authorized"]], "the operator's registry saw the token")


if __name__ == "__main__":
    main(test)
