"""s3_presign.py: presigned requests against a real service that checks them. Each method works; whatever part of a URL or
of what was signed with it is changed, the service refuses; a URL of an hour is good before and not after; what is not
the announced object, by size or by hash, is not stored. Then the store itself, as in store_contract.py.
"""
import base64
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from s3_server import Gateway  # noqa: E402

BUILD = os.environ["ROTA_BUILD"]


def check(condition, what):
    if not condition:
        sys.exit(f"s3_presign: {what}")


def send(method, url, body=None, headers=()):
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as e:
        return e.code, e.read(), dict(e.headers)


class Signer:
    def __init__(self, s3):
        self.s3 = s3

    def __call__(self, method, path, expires=3600, age=0, header=(), query=()):
        argv = [f"{BUILD}/tests/integration/s3_sign", method, self.s3.url, path, str(expires), str(age), *header]
        argv += ["--", *query] if query else []
        return subprocess.run(argv, env=self.s3.env(), capture_output=True, text=True, check=True).stdout.strip()


def pins(body):
    digest = hashlib.sha256(body)
    return {"content-length": str(len(body)), "x-amz-checksum-sha256": base64.b64encode(digest.digest()).decode(),
            "x-amz-content-sha256": digest.hexdigest()}


def pairs(headers):
    return [f"{name}={headers[name]}" for name in sorted(headers)]


def methods(sign, body, path):
    headers = pins(body)
    put = sign("PUT", path, header=pairs(headers))
    check(send("PUT", put, body, headers)[0] == 200, "PUT")
    status, _, answer = send("HEAD", sign("HEAD", path))
    check((status, answer["Content-Length"]) == (200, str(len(body))), f"HEAD: {status}")
    check(send("GET", sign("GET", path))[:2] == (200, body), "GET")
    part = send("GET", sign("GET", path), headers={"Range": "bytes=100-199"})
    check(part[:2] == (206, body[100:200]), "GET of a part")
    check(send("DELETE", sign("DELETE", path))[0] == 204, "DELETE")
    check(send("GET", sign("GET", path))[0] == 404, "GET of what is gone")
    print("methods: PUT, HEAD, GET, GET of a part, DELETE")


def tampering(sign, body, path):
    """Everything that a signature covers, changed one at a time."""
    headers = pins(body)
    url = sign("PUT", path, header=pairs(headers))
    get = sign("GET", path)
    check(send("PUT", url, body, headers)[0] == 200, "PUT")
    check(send("GET", get)[0] == 200, "GET")
    cases = [("another method", "DELETE", get, None, {}), ("another name", "GET", get.replace(path, path[:-1] + "0"), None, {})]
    for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"):
        m = re.search(f"X-Amz-{name}=([^&]*)", get)
        value = m.group(1)
        other = {"Algorithm": "AWS4-HMAC-SHA512", "Expires": str(int(value) * 2) if value.isdigit() else "",
                 "SignedHeaders": "host%3Bx-extra", "Credential": value.replace("us-east-1", "us-west-1"),
                 "Date": re.sub(r"\d\dZ$", lambda d: f"{(int(d.group(0)[:2]) + 1) % 60:02}Z", value),
                 "Signature": ("1" if value[0] == "0" else "0") + value[1:]}[name]
        cases.append((f"X-Amz-{name}", "GET", get.replace(m.group(0), f"X-Amz-{name}={other}"), None, {}))
        cases.append((f"no X-Amz-{name}", "GET", get.replace(m.group(0), "").replace("?&", "?"), None, {}))
    cases.append(("another key id", "GET", get.replace(sign.s3.id, "SOMEBODYELSE"), None, {}))
    cases.append(("a further part of the query", "GET", get + "&versionId=1", None, {}))
    cases.append(("a shorter body", "PUT", url, body[:-1], headers))
    cases.append(("a longer body", "PUT", url, body + b"x", headers))
    cases.append(("another body", "PUT", url, b"X" + body[1:], headers))
    cases.append(("another body that says its own hash", "PUT", url, b"X" + body[1:], pins(b"X" + body[1:])))
    for name in ("x-amz-content-sha256", "x-amz-checksum-sha256"):
        cases.append((f"no {name}", "PUT", url, body, {k: v for k, v in headers.items() if k != name}))
    refused = 0
    for what, method, tampered, sent, more in cases:
        check(tampered != (get if method == "GET" else None), f"{what}: nothing was changed")
        more = {k: v for k, v in more.items() if k != "content-length"}
        status = send(method, tampered, sent, more)[0]
        check(400 <= status < 500, f"{what}: {status}")
        refused += 1
    check(send("GET", get)[:2] == (200, body), "the object is still what it was")
    print(f"tampering: {refused} of {len(cases)} refused")


def nothing_stays(sign, body, path):
    headers = pins(body)
    for wrong in (body[:-1], b"X" + body[1:]):
        more = {k: v for k, v in headers.items() if k != "content-length"}
        send("PUT", sign("PUT", path, header=pairs(headers)), wrong, more)
        check(send("HEAD", sign("HEAD", path))[0] == 404, "a refused body left an object")
    print("wrong size, wrong hash: refused, and nothing stays")


def expiry(sign, body, path):
    more = {k: v for k, v in pins(body).items() if k != "content-length"}
    seen = {}
    for age in (0, 3500, 3700):
        seen[age] = (send("GET", sign("GET", path, 3600, age))[0],
                     send("PUT", sign("PUT", path, 3600, age, header=pairs(pins(body))), body, more)[0],
                     send("HEAD", sign("HEAD", path, 3600, age))[0])
    check(seen == {0: (200,) * 3, 3500: (200,) * 3, 3700: (403,) * 3}, f"expiry: {seen}")
    url, begun = sign("GET", path, 2), time.monotonic()
    check(send("GET", url)[0] == 200, "a URL of two seconds, at once")
    while send("GET", url)[0] == 200:
        check(time.monotonic() - begun < 10, "a URL of two seconds is good after ten")
        time.sleep(0.1)
    print(f"expiry: a URL of 3,600 s is good after 3,500 s and not after 3,700 s; one of 2 s ended after "
          f"{time.monotonic() - begun:.1f} s")


def clocks_and_keys(sign, body, path):
    """A clock of ours that is five minutes off loses nothing; and a URL that was signed by the key before is good for as
    long as the service has that key, whichever signs now."""
    off = {s: send("GET", sign("GET", path, 3600, -s))[0] for s in (-300, 0, 300)}
    check(set(off.values()) == {200}, f"clocks: {off}")
    s3, before = sign.s3, sign("GET", path)
    admin = ("radosgw-admin", "-c", s3.conf, "-n", "client.admin", "key")
    s3.run(*admin, "create", "--uid=rota", "--key-type=s3", "--access-key=NEXTKEY", "--secret-key=next-secret", timeout=60)
    old, s3.id, s3.secret = s3.id, "NEXTKEY", "next-secret"
    check(send("GET", sign("GET", path))[0] == 200 and send("GET", before)[0] == 200, "both keys are live")
    s3.run(*admin, "rm", "--uid=rota", "--key-type=s3", f"--access-key={old}", timeout=60)
    end = time.monotonic() + 30
    while send("GET", before)[0] == 200:
        check(time.monotonic() < end, "the key before is gone, and its URL is good")
        time.sleep(0.1)
    check(send("GET", sign("GET", path))[0] == 200, "the new key signs on")
    print("clocks: 300 s off is taken; keys: the URL of the key before was good beside the new one, until that key went")


def main():
    with Gateway() as s3:
        sign = Signer(s3)
        body = os.urandom(5000)
        check(send("PUT", sign("PUT", "/rota-test"))[0] == 200, "make a bucket")
        path = "/rota-test/bundle/acc/" + hashlib.sha256(body).hexdigest()
        methods(sign, body, path)
        nothing_stays(sign, body, path)
        tampering(sign, body, path)
        expiry(sign, body, path)
        clocks_and_keys(sign, body, path)
        with tempfile.TemporaryDirectory() as top:
            # the same questions as to every other store
            sys.argv = ["store_contract", s3.url, s3.credentials(f"{top}/credentials")]
            import store_contract
            store_contract.real(*sys.argv[1:])


if __name__ == "__main__":
    main()
