"""s3_fake.py: as much of an S3-compatible service as a store needs, in this process: for what a real one cannot be made
to do at will. It accepts any signature; `pins` says whether it holds a body against x-amz-content-sha256.

    with Fake(pins=True) as s3:
        s3.faults = 2          # the next two requests are answered 503
        s3.cuts = 1            # the next one is cut off in the middle of its body
        s3.refuses = True      # everything is answered 403
        s3.stuck = "HEAD b/n"  # requests that begin so get no answer before s3.go.set(); s3.held has them
        s3.objects             # {"bucket/name": (bytes, modified_s)}
        s3.seen                # [("PUT", "bucket/name"), ...]
"""
import hashlib
import socket
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.server.fake.live.append(self.connection)

    def say(self, status, body=b"", **headers):
        if self.command == "HEAD" and "length" in headers:
            length = headers.pop("length")
        else:
            headers.pop("length", None)
            length = len(body)
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code):
        self.say(status, f"<Error><Code>{code}</Code></Error>".encode())

    def begin(self):
        """The object's name, the query; None when this request is to fail."""
        fake = self.server.fake
        parts = urllib.parse.urlsplit(self.path)
        name = parts.path.lstrip("/")
        with fake.lock:
            fake.seen.append((self.command, name))
        if fake.stuck and f"{self.command} {name}".startswith(fake.stuck):
            fake.held.append(f"{self.command} {name}")
            fake.go.wait(60)
        with fake.lock:
            fault = fake.faults > 0
            fake.faults -= fault
            cut = not fault and fake.cuts > 0
            fake.cuts -= cut
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) if not cut else b""
        if fault:
            self.refuse(503, "SlowDown")
            return None
        if fake.refuses:
            self.refuse(403, "AccessDenied")
            return None
        if cut:
            if self.command == "GET":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf")
            self.close_connection = True
            return None
        return name, dict(urllib.parse.parse_qsl(parts.query)), body

    def do_PUT(self):
        begun = self.begin()
        if not begun:
            return
        name, _, body = begun
        fake, source = self.server.fake, self.headers.get("x-amz-copy-source")
        if source:
            if source.lstrip("/") not in fake.objects:
                return self.refuse(404, "NoSuchKey")
            body = fake.objects[source.lstrip("/")][0]
        elif fake.pins and self.headers.get("x-amz-content-sha256") != hashlib.sha256(body).hexdigest():
            return self.refuse(400, "XAmzContentSHA256Mismatch")
        fake.objects[name] = (body, time.time())
        self.say(200)

    def do_GET(self):
        begun = self.begin()
        if not begun:
            return
        name, query, _ = begun
        fake = self.server.fake
        if "list-type" in query:
            return self.list(name, query)
        if name not in fake.objects:
            return self.refuse(404, "NoSuchKey")
        body, span = fake.objects[name][0], self.headers.get("Range")
        if span:
            first, last = span.removeprefix("bytes=").split("-")
            if int(first) >= len(body):
                return self.refuse(416, "InvalidRange")
            return self.say(206, body[int(first):int(last) + 1])
        self.say(200, body)

    def do_HEAD(self):
        begun = self.begin()
        if not begun:
            return
        name = begun[0]
        if name not in self.server.fake.objects:
            return self.say(404)
        self.say(200, length=len(self.server.fake.objects[name][0]))

    def do_DELETE(self):
        begun = self.begin()
        if begun:
            self.server.fake.objects.pop(begun[0], None)
            self.say(204)

    def list(self, bucket, query):
        fake, top = self.server.fake, int(query.get("max-keys", 1000))
        after = query.get("continuation-token", "")
        names = sorted(n.removeprefix(bucket + "/") for n in list(fake.objects) if n.startswith(bucket + "/"))
        names = [n for n in names if n.startswith(query.get("prefix", "")) and n > after]
        page, more = names[:min(top, fake.page)], len(names) > min(top, fake.page)
        stamp = lambda n: time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(fake.objects[f"{bucket}/{n}"][1]))
        rows = "".join(f"<Contents><Key>{n}</Key><LastModified>{stamp(n)}</LastModified></Contents>" for n in page)
        token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
        self.say(200, f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}"
                      f"</ListBucketResult>".encode())


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # its client has left in the middle, as some tests want


class Fake:
    def __init__(self, pins=True, port=0):
        self.pins, self.faults, self.cuts, self.page = pins, 0, 0, 3
        self.objects, self.seen, self.lock = {}, [], threading.Lock()
        self.server, self.port, self.live = None, port, []
        self.stuck, self.held, self.go, self.refuses = None, [], threading.Event(), False

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()

    def up(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.fake = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            for connection in self.live:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # its client has left
            self.live = []
