"""transfer.py: what carries objects for workers and the command, against a service that can be made to fail at will: what
a repeat can mend is repeated, what it cannot is named at once, a transfer can be stopped, and a host that fails all the
time is left alone.
"""
import hashlib
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from s3_fake import Fake  # noqa: E402

DRIVE = os.path.join(os.environ["ROTA_BUILD"], "tests/integration/transfer_drive")
SIGNED = "X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-checksum-sha256%3Bx-amz-content-sha256&X-Amz-Signature=0"
done = 0


def run(what, *argv, want, why="", stop_after=None):
    """One transfer; its standard input stays open until it ended, or is closed after so long to stop it."""
    global done
    child = subprocess.Popen([DRIVE, *map(str, argv)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    if stop_after:
        time.sleep(stop_after)
        child.stdin.close()
    out = child.stdout.read().strip()
    child.wait(60)
    if not stop_after:
        child.stdin.close()
    if out.split(" ")[0] != want or why not in out:
        sys.exit(f"transfer: {what}: {out!r}, not {want} {why!r}")
    done += 1
    return out


def main():
    body = os.urandom(300000)
    sha = hashlib.sha256(body).hexdigest()
    with tempfile.TemporaryDirectory() as top, Fake() as s3:
        path, got = f"{top}/body", f"{top}/got"
        with open(path, "wb") as f:
            f.write(body)
        put, plain = f"{s3.url}/b/x?{SIGNED}", f"{s3.url}/b/x"
        stored = lambda: s3.objects.get("b/x", (None,))[0]
        tries = lambda: (len(s3.seen), s3.seen.clear())[0]

        run("put", "put", put, path, len(body), sha, want="ok")
        assert stored() == body and tries() == 1
        s3.faults = 3
        run("put over three faults", "put", put, path, len(body), sha, want="ok")
        assert tries() == 4
        s3.cuts = 2
        s3.objects.clear()
        run("put over two cuts", "put", put, path, len(body), sha, want="ok")
        assert stored() == body and tries() == 3, "begun anew each time"
        run("a wrong body", "put", put, path, len(body), "ab" * 32, want="refused", why="XAmzContentSHA256Mismatch")
        assert tries() == 1, "what was refused is not repeated"
        run("a short file", "put", put, path, len(body) + 1, sha, want="local")
        run("a header nobody knows", "put", put.replace("host", "host%3Bx-new"), path, len(body), sha, want="bad_url")
        s3.seen.clear()

        s3.objects["b/x"] = (body, time.time())
        s3.cuts = 2
        run("get over two cuts", "get", plain, got, len(body), len(body), sha, want="ok")
        assert open(got, "rb").read() == body and tries() == 3
        run("not there", "get", f"{s3.url}/b/none", got, "-", 10, "-", want="gone")
        assert tries() == 1
        run("too large", "get", plain, got, "-", len(body) - 1, "-", want="too_large")
        run("another size", "get", plain, got, len(body) - 1, len(body), "-", want="mismatch")
        run("another hash", "get", plain, got, len(body), len(body), "ab" * 32, want="mismatch")
        for url in ("http://192.0.2.1/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "http://u:p@127.0.0.1/x", "x", ""):
            run(url, "get", url, got, "-", 10, "-", want="bad_url")

        s3.faults = 1000
        at = time.monotonic()
        out = run("five faults", "get", plain, got, "-", 10, "-", want="away", why="503 SlowDown")
        took = time.monotonic() - at
        assert s3.seen and len(s3.seen) - 0 >= 5, s3.seen
        at = time.monotonic()
        run("stopped in a pause", "get", plain, got, "-", 10, "-", want="stopped", stop_after=0.3)
        stopped = time.monotonic() - at
        assert stopped < 1.5, f"a stop took {stopped:.1f} s"
        assert sha not in out and "Signature" not in out
    print(f"transfer: {done} transfers as they should; five tries took {took:.1f} s, a stop in a pause "
          f"{stopped - 0.3:.2f} s")


main()
