"""cli_bundle.py shows the main job from the outside: a folder is packed and published, built by a real worker, followed,
downloaded and verified, and nothing that was tampered with passes. It matters because this is what people came for.
Needs the package registry (npm ci of the sample app).
"""
import hashlib
import json
import os
import shutil
import tarfile

from kit import BUILD, Kit, check, main, program

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps", "hello")
FORMS = os.path.join(BUILD, "tests/integration/source_forms")


def copy_with_secrets(kit):
    """The sample app as it lies on a developer's disk: with things in it that must not travel."""
    app = f"{kit.dir}/app"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("node_modules"))
    for path in (".env", ".env.local", ".npmrc", ".git/config", "node_modules/x/index.js", "ios/Pods/P.m"):
        os.makedirs(os.path.dirname(f"{app}/{path}"), exist_ok=True)
        with open(f"{app}/{path}", "w") as f:
            f.write("SECRET")
    os.symlink("/etc/passwd", f"{app}/outside")
    return app


def opened(kit, app, stored):
    """What was uploaded, opened by the key that the packed folder and the API key give."""
    plain, sealed = f"{kit.dir}/packed", f"{kit.dir}/sealed"
    kit.run([FORMS, "pack", app, plain])
    key = kit.run([FORMS, "seal", kit.key, plain, sealed]).stdout.strip()
    kit.run([FORMS, "open", key, stored, f"{kit.dir}/archive"])
    return f"{kit.dir}/archive"


def published(kit, app):
    done = kit.rota("publish", "--app", "hello", "--platform", "android", "--source", f"dir:{app}")
    check("left out: outside" in done.stderr and "packed " in done.stderr, f"publish says {done.stderr!r}")
    job = done.stdout.split()[0]
    sources = [os.path.join(d, f) for d, _, files in os.walk(f"{kit.dir}/data/artifacts/source") for f in files]
    check(len(sources) == 1, f"one source is stored: {sources}")
    with open(sources[0], "rb") as f:
        stored = f.read()
    check(stored.startswith(b"rota-seal-1\n") and b"package.json" not in stored, "the source is stored sealed")
    names = tarfile.open(opened(kit, app, sources[0])).getnames()
    check("package.json" in names, f"the app travels: {names}")
    for name in names:
        check(not any(p in name for p in (".env", ".npmrc", ".git/", "node_modules", "Pods", "outside")), f"{name} travels")
    return job, len(names)


def followed(kit, job):
    seen = [json.loads(line) for line in kit.rota("watch", job, "--json", ok=(0, 1)).stdout.splitlines()]
    last = seen[-1]
    check(last["state"] == "succeeded", f"{last.get('error')}: {kit.rota('logs', job).stdout[-2000:]}")
    percents = []
    for s in seen:
        if s["state"] == "leased" and (not percents or s["percent"] > percents[-1][0]):
            percents.append((s["percent"], s.get("phase")))
    bundling = [p for p, phase in percents if phase == "bundle"]
    check(len(percents) >= 5 and len(bundling) >= 2, f"percents: {percents}")
    return last, len(percents), len(bundling)


def verify(kit, out, key, ok=(0,)):
    return kit.rota("verify", out, "--public-key", key, ok=ok)


def tampered(kit, out, key):
    """Each file changed in turn: every one must be noticed, and the good folder pass again afterwards."""
    n = 0
    for name in sorted(os.listdir(out)):
        if name == "artifacts.json":
            continue  # the list is not signed: what it may not do stands in tests/unit/test_verify.c
        path = f"{out}/{name}"
        with open(path, "rb") as f:
            good = f.read()
        for at in (0, len(good) // 2, len(good) - 1):
            bad = bytearray(good)
            bad[at] ^= 1
            with open(path, "wb") as f:
                f.write(bad)
            verify(kit, out, key, ok=(1,))
            n += 1
        with open(path, "wb") as f:
            f.write(good)
    verify(kit, out, key)
    return n


def named(kit, out, key):
    """The three tamperings that the signature is for, by their names."""
    statement = f"{out}/statement.json"
    with open(statement) as f:
        good = f.read()
    with open(statement, "w") as f:
        f.write(good.replace('"account":"local"', '"account":"other"'))
    check("SIGNATURE_INVALID" in verify(kit, out, key, ok=(1,)).stderr, "a changed statement")
    with open(statement, "w") as f:
        f.write(good)
    kit.run([program("rotad"), "init", "--data", f"{kit.dir}/other", "--key-file", f"{kit.dir}/other.key"])
    other = f"{kit.dir}/other/keys/sign.pub"
    check("SIGNATURE_INVALID" in verify(kit, out, other, ok=(1,)).stderr, "another key")
    bundle = next(a["name"] for a in json.load(open(f"{out}/artifacts.json")) if a["kind"] == "bundle")
    with open(f"{out}/{bundle}", "r+b") as f:
        f.seek(1000)
        byte = f.read(1)
        f.seek(1000)
        f.write(bytes([byte[0] ^ 0x40]))
        f.flush()
        check("OBJECT_MISMATCH" in verify(kit, out, key, ok=(1,)).stderr, "one flipped byte")
        f.seek(1000)
        f.write(byte)
    refused = kit.rota("verify", out, ok=(78,))
    check("CONFIG" in refused.stderr, "no trusted key")


def provenance(facts, job, last, app):
    """What the envelope says of the build, read as any in-toto tool would."""
    statement = facts["provenance"]
    definition = statement["predicate"]["buildDefinition"]
    kinds = {}
    for d in definition["resolvedDependencies"]:
        kinds.setdefault(d["annotations"]["kind"], []).append(d)
    with open(f"{app}/package-lock.json", "rb") as f:
        lockfile = hashlib.sha256(f.read()).hexdigest()
    check(statement["predicate"]["runDetails"]["metadata"]["invocationId"] == job, "the envelope's job")
    check(definition["externalParameters"]["app"] == "hello", f"{definition}")
    check(kinds["source"][0]["uri"] == last["source"], f"the envelope's source: {kinds}")
    check(kinds["lockfile"][0]["digest"]["sha256"] == lockfile, f"the envelope's lockfile: {kinds}")
    tools = {d["name"]: d["annotations"].get("version") for d in kinds["tool"]}
    check({"node", "npm", "react-native", "metro"} <= set(tools), f"the envelope's tools: {tools}")
    subjects = {s["name"]: s["digest"]["sha256"] for s in statement["subject"]}
    public = {a["name"]: a["sha256"] for a in last["artifacts"] if a["kind"] in ("bundle", "assets")}
    check(subjects == public and len(public) == 2, f"the envelope's files: {subjects}")
    return tools


def test():
    with Kit() as kit:
        kit.start()
        kit.worker()
        app = copy_with_secrets(kit)
        job, files = published(kit, app)
        last, percents, bundling = followed(kit, job)
        out, key = f"{kit.dir}/out", f"{kit.dir}/data/keys/sign.pub"
        kit.rota("download", job, "--out", out)
        for a in last["artifacts"]:
            with open(f"{out}/{a['name']}", "rb") as f:
                check(hashlib.sha256(f.read()).hexdigest() == a["sha256"], f"{a['name']} differs")
        text = kit.rota("verify", out, env={"ROTA_PUBLIC_KEY": key}).stdout
        check(text.strip().split("\n")[-1].startswith("signature ok"), f"verify says {text!r}")
        facts = json.loads(kit.rota("verify", out, "--public-key", key, "--json").stdout)
        check(facts["ok"] and facts["statement"]["job"] == job, f"verify --json: {facts}")
        tools = provenance(facts, job, last, app)
        named(kit, out, key)
        n = tampered(kit, out, key)
    print(f"{files} files packed, {percents} rising percents seen ({bundling} while bundling), "
          f"{len(last['artifacts'])} artifacts verified, {n + 3} of {n + 3} tamperings refused; "
          f"built with {', '.join(' '.join(filter(None, t)) for t in tools.items())}")


main(test)
