"""store_contract.py: every artifact store answers the same questions the same way: a folder, a bucket whose service
checks bodies, one whose service does not (so the broker reads back what was uploaded). Then what only a bucket can
meet: faults, a service that is away, another environment's marker, a place that says not whose it is.
"""
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from s3_fake import Fake  # noqa: E402

DRIVE = os.path.join(os.environ["ROTA_BUILD"], "tests/integration/store_drive")
DAY = 24 * 3600


class Store:
    def __init__(self, *argv):
        self.words = tempfile.TemporaryFile("w+")
        self.child = subprocess.Popen([DRIVE, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self.words, text=True, bufsize=1)
        self.opened = self.child.stdout.readline().strip()

    def ask(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        return self.child.stdout.readline().strip()

    def log(self):
        return os.pread(self.words.fileno(), 1 << 20, 0).decode()

    def close(self):
        self.child.stdin.close()
        self.child.wait(20)
        return self.log()


def put(url, body, sha256):
    """As a worker puts: a file, or an upload with the headers that were signed. The HTTP status; 0 for a file."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "file":
        with open(urllib.parse.unquote(parts.path), "xb") as f:
            f.write(body)
        return 0
    headers = {"x-amz-content-sha256": sha256,
               "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode()}
    request = urllib.request.Request(url, data=body, method="PUT", headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as e:
        return e.code


def get(url):
    return urllib.request.urlopen(url, timeout=10).read()


checks = 0


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"store_contract: {what}")


def same(got, want, what):
    check(got == want, f"{what}: {got!r}, not {want!r}")


def contract(name, store, pins):
    """`pins`: a wrong body is refused on its way, and not when it is looked at."""
    body = os.urandom(700)
    sha = hashlib.sha256(body).hexdigest()
    it = ("bundle", "Acc_1-x", sha)
    same(store.opened, "ok", f"{name}: opened")
    same(store.ask("find", *it), "missing", f"{name}: before anything")
    same(store.ask("take", *it, 700), "missing", f"{name}: nothing was uploaded")
    url = store.ask("invite", *it, 700).removeprefix("ok ")
    put(url, body, sha)
    taken = store.ask("find", *it)
    if taken == "missing":
        taken = store.ask("take", *it, 700)
    same(taken, "ok 700", f"{name}: taken")
    same(store.ask("find", *it), "ok 700", f"{name}: found")
    same(store.ask("read", *it, 10, 5), f"ok {body[10:15].hex()}", f"{name}: a part")
    same(store.ask("read", *it, 690, 50), f"ok {body[690:].hex()}", f"{name}: the last part")
    same(get(store.ask("url", *it).removeprefix("ok ")), body, f"{name}: fetched")
    same(store.ask("find", "map", "Acc_1-x", sha), "missing", f"{name}: another kind")
    same(store.ask("find", "bundle", "other", sha), "missing", f"{name}: another account")
    # what is not what was announced
    for wrong, size in ((os.urandom(700), 700), (body[:-1], 699)):
        other = ("assets", "Acc_1-x", sha)
        status = put(store.ask("invite", *other, 700).removeprefix("ok "), wrong, sha)
        if pins:
            check(status in (400, 403), f"{name}: a wrong body of {size}: {status}")
            same(store.ask("find", *other), "missing", f"{name}: and nothing of it stays")
        else:
            same(store.ask("take", *other, 700), "mismatch", f"{name}: a wrong body of {size}")
            same(store.ask("find", *other), "missing", f"{name}: and nothing of it stays")
    large = os.urandom(1001)
    big = ("source", "Acc_1-x", hashlib.sha256(large).hexdigest())
    put(store.ask("invite", *big, 1001).removeprefix("ok "), large, big[2])
    if not pins:
        same(store.ask("take", *big, "-"), "too_large", f"{name}: too large")
    # the sweep and the walk
    late = os.urandom(50)
    never = ("source", "Acc_1-x", hashlib.sha256(late).hexdigest())
    put(store.ask("invite", *never, 50).removeprefix("ok "), late, never[2])
    same(store.ask("sweep", 2 * 3600, DAY), "ok", f"{name}: a young upload stays")
    if not pins:
        same(store.ask("sweep", DAY + 60, DAY), "ok", f"{name}: sweep")
        same(store.ask("take", *never, "-"), "missing", f"{name}: an old upload went")
    names = [f"map/a{i}/{hashlib.sha256(bytes([i])).hexdigest()}" for i in range(7)]
    for i, one in enumerate(names):
        kind, account, digest = one.split("/")
        put(store.ask("invite", kind, account, digest, 1).removeprefix("ok "), bytes([i]), digest)
        if store.ask("find", kind, account, digest) == "missing":
            same(store.ask("take", kind, account, digest, 1), "ok 1", f"{name}: {one}")
    same(store.ask("walk", 0, DAY), "ok", f"{name}: nothing is old")
    seen = store.ask("walk", DAY + 60, DAY).split()[1:]
    want = set(names) | {"/".join(it)} | ({"/".join(never), "/".join(big)} if pins else set())
    same(set(seen), want, f"{name}: the walk")
    same(len(seen), len(want), f"{name}: each once")
    same(store.ask("drop", *it), "ok", f"{name}: dropped")
    same(store.ask("drop", *it), "ok", f"{name}: dropped again")
    same(store.ask("find", *it), "missing", f"{name}: gone")


def times(store):
    """A URL of the files is good for an hour by the broker's clock, with five minutes to spare; none comes from a time
    that is still to come."""
    def one(ahead_s, upload=True):
        body = os.urandom(60)
        it = ("source", "acc", hashlib.sha256(body).hexdigest())
        url = store.ask("invite", *it, 60, ahead_s).removeprefix("ok ")
        if upload:
            put(url, body, it[2])
        return it, os.path.dirname(url.removeprefix("file://"))
    for ahead_s, want in ((-3500, "ok 60"), (-3840, "ok 60"), (-3960, "late"), (-86400, "late"), (240, "ok 60"),
                          (360, "ahead"), (86400, "ahead")):
        it, folder = one(ahead_s)
        same(store.ask("take", *it, 60), want, f"files: a URL given {-ahead_s} s ago")
        check(not os.path.exists(folder), f"files: its place went, given {-ahead_s} s ago")
        same(store.ask("find", *it), want if want == "ok 60" else "missing", "files: and what it brought")
    body = os.urandom(60)  # another URL for the same is not spoilt by a bad one
    it = ("source", "acc", hashlib.sha256(body).hexdigest())
    for ahead_s in (-7200, 0, 7200):
        put(store.ask("invite", *it, 60, ahead_s).removeprefix("ok "), body, it[2])
    same(store.ask("take", *it, 60), "ok 60", "files: one of three URLs was in time")
    # what is ahead is swept, used or not, and so is a file that says it comes from a far day
    folders = {ahead_s: [one(ahead_s, upload)[1] for upload in (True, False)] for ahead_s in (0, 240, 360)}
    it, far = one(0)
    os.utime(f"{far}/object", (2 ** 32, 2 ** 32))
    same(store.ask("sweep", 0, DAY), "ok", "files: sweep")
    for ahead_s, both in folders.items():
        same([os.path.exists(f) for f in both], [ahead_s <= 300] * 2, f"files: {ahead_s} s ahead, after a sweep")
    check(os.path.exists(far), "files: a far day is none yet")
    same(store.ask("sweep", DAY + 60, DAY), "ok", "files: sweep")
    check(not os.path.exists(far), "files: an upload stays no longer for the day that its owner gave it")


def faults(fake, store):
    """Two answers of 503 are got over; a service that stays away is named, soon at once, and found when it is back."""
    it = ("bundle", "acc", "ab" * 32)
    fake.faults = 2
    seen = len(fake.seen)
    same(store.ask("find", *it), "missing", "two faults")
    same(len(fake.seen) - seen, 3, "three tries")
    fake.down()
    times = []
    for _ in range(4):
        at = time.monotonic()
        same(store.ask("find", *it), "away", "nobody listens")
        times.append(time.monotonic() - at)
    check(times[-1] < 0.05, f"the open breaker answers at once: {times}")
    same(store.ask("invite", *it, 10)[:3], "ok ", "a URL needs no service")
    fake.up()
    end, tries = time.monotonic() + 30, 0
    while store.ask("find", *it) != "missing":
        tries += 1
        check(time.monotonic() < end, "the breaker did not close")
        time.sleep(0.1)
    print(f"breaker: opened after {times[0]:.2f} + {times[1]:.2f} + {times[2]:.2f} s of tries, then answers in "
          f"{times[3] * 1000:.1f} ms; closed again by itself after {tries} refusals")


def environments(fake, credentials, top):
    argv = lambda name, env: ("s3", f"s3://rota/{name}", fake.url, credentials, env)
    first = Store(*argv("place", "production"))
    same(first.opened, "ok", "an empty root")
    first.close()
    same(fake.objects["rota/place/rota-environment"][0], b"production\n", "its marker")
    other = Store(*argv("place", "staging"))
    same(other.opened, "environment", "another environment's")
    other.close()
    fake.objects["rota/unnamed/bundle/a/" + "0" * 64] = (b"x", time.time())
    unnamed = Store(*argv("unnamed", "production"))
    same(unnamed.opened, "environment", "objects of nobody knows whom")
    unnamed.close()
    local = f"{top}/place"
    for env, want in (("production", "ok"), ("staging", "environment"), ("production", "ok")):
        store = Store("local", local, env)
        same(store.opened, want, f"a folder, as {env}")
        store.close()
    os.remove(f"{local}/rota-environment")
    os.makedirs(f"{local}/bundle/acc")
    store = Store("local", local, "production")
    same(store.opened, "environment", "a folder of nobody knows whom")
    store.close()
    # away at the start, and somebody else's when it is there
    fake.down()
    late = Store(*argv("place", "staging"))
    same(late.opened, "ok", "a service that is away is no reason not to start")
    it = ("bundle", "acc", "ab" * 32)
    same(late.ask("invite", *it, 10), "away", "but nothing is given before the marker was read")
    fake.up()
    end = time.monotonic() + 20
    while (said := late.ask("find", *it)) != "environment":
        same(said, "away", "not known yet")
        check(time.monotonic() < end, "the marker was never read")
        time.sleep(0.1)
    asked = len(fake.seen)
    for words in (("find", *it), ("take", *it, 10), ("read", *it, 0, 5), ("drop", *it), ("url", *it),
                  ("invite", *it, 10), ("sweep", 0, DAY), ("walk", DAY, DAY)):
        same(late.ask(*words), "environment", f"{words[0]} of what is another environment's")
    same(len(fake.seen), asked, "nothing more is asked of it")
    same(late.close().count("artifacts.environment"), 1, "it is said once")


def credentials_are_read_anew(fake, top):
    path = f"{top}/changing"
    write = lambda text: (open(path, "w").write(text), os.chmod(path, 0o600))
    write("[default]\naws_access_key_id = FIRST\naws_secret_access_key = s1\n[other]\naws_access_key_id = NO\n")
    store = Store("s3", "s3://rota/keys", fake.url, f"file:{path}", "e")
    it = ("bundle", "acc", "ab" * 32, 10)
    check("Credential=FIRST%2F" in store.ask("invite", *it), "the first profile")
    write("SECOND\ns2\n")
    same(store.ask("reload"), "ok", "reload")
    check("Credential=SECOND%2F" in store.ask("invite", *it), "two lines")
    write("nothing that could be one")
    store.ask("reload")
    os.chmod(path, 0o644)
    store.ask("reload")
    check("Credential=SECOND%2F" in store.ask("invite", *it), "what cannot be read changes nothing")
    log = store.close()
    same(log.count("artifacts.credentials_refused"), 2, "both were said")
    check("s2" not in log and "nothing that" not in log, "a secret in the log")
    script = f"{top}/vault"
    with open(script, "w") as f:
        f.write("#!/bin/sh\necho \"$1\"; echo secret\n")
    os.chmod(script, 0o755)
    store = Store("s3", "s3://rota/keys", fake.url, f"command:{script} THIRD", "e")
    check("Credential=THIRD%2F" in store.ask("invite", *it), "a program")
    store.close()
    for place in ("env:ROTA_NO_SUCH", f"command:{top}/none", "command:false", "command:", f"file:{top}/none"):
        store = Store("s3", "s3://rota/keys", fake.url, place, "e")
        same(store.opened, "mismatch", place)
        store.close()


def real(url, credentials):
    """A service that is there: its bucket rota-test holds what others put; a folder of it is ours."""
    store = Store("s3", "s3://rota-test/some/where", url, credentials, "test")
    contract("service", store, pins=True)
    check("hashes=store" in store.close(), "the service checks bodies")
    store = Store("s3", "s3://rota-test/some/where", url, credentials, "staging")
    same(store.opened, "environment", "another environment's")
    store.close()
    store = Store("s3", "s3://rota-none", url, credentials, "test")
    same(store.opened, "mismatch", "no such bucket")
    check("there is no bucket" in store.close(), "it says so")
    print(f"store_contract: {checks} checks of a real service")


def main():
    top = tempfile.mkdtemp(prefix="rota-stores-")
    credentials = f"{top}/credentials"
    with open(credentials, "w") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write("ID\nSECRET\n")
    try:
        store = Store("local", f"{top}/files", "test")
        contract("files", store, pins=False)
        times(store)
        store.close()
        for pins in (True, False):
            with Fake(pins=pins) as fake:
                store = Store("s3", "s3://rota/some/where", fake.url, credentials, "test")
                contract("pinned" if pins else "copied", store, pins)
                left = [n for n in fake.objects if "incoming" in n or "probe" in n]
                same(left, [], "nothing is left in incoming")
                check(f"hashes={'store' if pins else 'broker'}" in store.close(), "it says who checks bodies")
        with Fake() as fake:
            store = Store("s3", "s3://rota", fake.url, credentials, "test")
            faults(fake, store)
            store.close()
            environments(fake, credentials, top)
            credentials_are_read_anew(fake, top)
            for url in ("s3://", "s3://ab", "s3://Rota", "s3://rota//x", "s3://rota/x y", "s3://rota/../x?"):
                store = Store("s3", url, fake.url, credentials, "test")
                same(store.opened, "mismatch", url)
                store.close()
            store = Store("s3", "s3://rota", "http://192.0.2.1", credentials, "test")
            same(store.opened, "mismatch", "http beyond loopback")
            store.close()
    finally:
        shutil.rmtree(top, ignore_errors=True)
    print(f"store_contract: {checks} checks, 3 stores")


if __name__ == "__main__":
    main()
