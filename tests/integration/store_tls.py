#!/usr/bin/env python3
"""A bucket behind TLS. Broker, worker and command trust the authorities of the machine and nobody else: to a service
whose certificate they cannot check not one byte of a request goes, its fault is said by name, and once the certificate
is right they go on by themselves. This test's authority is trusted in a namespace of mounts of its own, where it stands
in the machine's list.

Needs root, for that namespace, and scripts/setup --s3.
"""
import hashlib
import os
import subprocess
import sys
import tempfile
import time

from authority import MACHINE, Authority
from kit import BUILD, Kit, check, main
from s3_fake import Fake
from s3_presign import Signer, send
from s3_server import Gateway
from tls_front import Front

import store_contract

DRIVE = f"{BUILD}/tests/integration/transfer_drive"
SIGNED = "X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-checksum-sha256%3Bx-amz-content-sha256&X-Amz-Signature=0"
IT = ("bundle", "acc", "ab" * 32)
RUNNER = """#!/bin/sh
echo said; echo made > /w/out/made.txt
"""


def strangers(top, own, other, credentials):
    """Certificates that say nothing: each fault by its name, to the broker and to who carries objects."""
    rows = [("another authority's", other.issue("foreign"), "unable to get local issuer certificate"),
            ("its own", (other.path, other.key), "self-signed certificate"),
            ("another host's", own.issue("elsewhere", "DNS:elsewhere.example"), "no alternative certificate subject name"),
            ("one that has ended", own.issue("ended", days=-1), "certificate has expired")]
    body = b"secret words of an app"
    path = f"{top}/body"
    with open(path, "wb") as f:
        f.write(body)
    for what, pair, says in rows:
        with Fake() as fake, Front(*pair, port=fake.port) as front:
            argv = [DRIVE, "put", f"{front.url}/b/x?{SIGNED}", path, str(len(body)), hashlib.sha256(body).hexdigest()]
            put = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            store = store_contract.Store("s3", "s3://rota/place", front.url, credentials, "test")
            check(store.opened == "ok", f"{what}: opened: {store.opened}")
            answers = [store.ask("find", *IT), store.ask("invite", *IT, 10)]
            check(answers == ["away", "away"], f"{what}: {answers}")
            check("artifacts.unreached" in store.log() and says in store.log(), f"{what}: {store.log()}")
            said = put.stdout.read()
            put.stdin.close()
            check(put.wait(20) == 0 and said.startswith("away ") and says in said, f"{what}: a put says {said}")
            check(front.hellos >= 6 and (front.opened, fake.seen) == (0, []),
                  f"{what}: {front.opened} of {front.hellos} connections were used: {fake.seen}")
            front.tls.load_cert_chain(*own.issue("renewed"))
            until = time.monotonic() + 30  # an open breaker tries again after five seconds
            while store.ask("find", *IT) != "missing":
                check(time.monotonic() < until, f"{what}: the renewed one is not seen: {store.log()}")
                time.sleep(0.1)
            store.close()
            print(f"certificate, {what}: {front.hellos} connections, none used before it was a right one; \"{says}\"")


def ended(kit, job, *states):
    kit.wait_state(job, *states, "failed", "dead", seconds=90)
    state = kit.status(job)
    check(state["state"] in states, f"{state['state']}: {state.get('error')}")
    return state


def programs(s3, own, other):
    """Source, output and log of jobs, each carried by the program whose it is; and a certificate that becomes wrong."""
    with Kit() as kit, Front(*own.issue("programs"), port=s3.port) as front:
        os.chmod(kit.dir, 0o755)
        kit.start("--artifacts", "s3://rota-test/programs", "--s3-endpoint", front.url, "--s3-credentials",
                  s3.credentials(f"{kit.dir}/credentials"))
        with open(f"{kit.dir}/source.tar.gz", "wb") as f:
            f.write(os.urandom(2000))
        kit.rota("publish", "--app", "hello", "--platform", "ios", "--source", f"upload:{kit.dir}/source.tar.gz", "--hold")
        kit.worker("--workspace-bytes", str(64 << 20), runner=kit.script("run", RUNNER), boxed=True)
        job = kit.publish()
        ended(kit, job, "succeeded")
        check(kit.rota("logs", job).stdout == "said\n", "the log")
        kit.rota("download", job, "--out", f"{kit.dir}/out")
        with open(f"{kit.dir}/out/made.txt") as f:
            check(f.read() == "made\n", "the output")
        used = front.opened

        front.tls.load_cert_chain(*other.issue("wrong"))
        job = kit.publish()
        error = ended(kit, job, "delayed")["error"]
        check(error["name"] == "STORE_UNAVAILABLE" and "SSL certificate problem" in error["text"], error)
        front.tls.load_cert_chain(*own.issue("right"))
        check(ended(kit, job, "succeeded")["attempt"] == 2, "the second attempt")
        with open(f"{kit.dir}/rotad.log") as log, open(f"{kit.dir}/w.log") as more:
            check(s3.secret not in log.read() + more.read(), "the secret is in a log")
        print(f"programs: source, output and log over {used} connections; then {error['name']} ({error['text']}), "
              f"and attempt 2 went through")


def test():
    with tempfile.TemporaryDirectory(prefix="rota-tls-") as top, Gateway() as s3:
        own, other = Authority(top, "own-ca"), Authority(top, "other-ca")
        subprocess.run(["mount", "--bind", own.trusted_by_machine(f"{top}/trusted"), MACHINE], check=True)
        os.environ["SSL_CERT_FILE"] = MACHINE  # for this program's own requests
        credentials = s3.credentials(f"{top}/credentials")
        check(send("PUT", Signer(s3)("PUT", "/rota-test"))[0] == 200, "make a bucket")
        with Front(*own.issue("server"), port=s3.port) as front:
            store_contract.real(front.url, credentials)
        strangers(top, own, other, credentials)
        programs(s3, own, other)


if __name__ == "__main__":
    if sys.argv[1:] != ["inside"]:
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, "inside"])
    main(test)
