"""tls_front.py: a TLS server before one that has none, in this process: it opens what comes, and hands it on.

    with Front(*authority.issue("server"), port=fake.port) as front:
        front.url       # https://127.0.0.1:PORT
        front.hellos    # how many clients began to speak
        front.opened    # how many of them went on once they had seen the certificate
"""
import asyncio
import ssl
import threading


class Front:
    def __init__(self, cert, key, port):
        self.behind, self.hellos, self.opened = port, 0, 0
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(cert, key)
        self.tls.sni_callback = self._hello

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)  # clients that leave are what tests want
        self.server = self.loop.run_until_complete(asyncio.start_server(self._client, "127.0.0.1", 0, ssl=self.tls))
        self.url = f"https://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self._end)
        self.thread.join(20)
        self.loop.close()

    def _end(self):
        self.server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_soon(self.loop.stop)

    def _hello(self, *_):
        self.hellos += 1

    async def _client(self, reader, writer):
        """A client of TLS 1.3 has a connection before it judges the certificate, so what counts is its first byte."""
        first = await reader.read(1 << 16)
        if not first:
            return writer.close()
        self.opened += 1
        from_behind, to_behind = await asyncio.open_connection("127.0.0.1", self.behind)
        to_behind.write(first)
        await asyncio.gather(self._pump(reader, to_behind), self._pump(from_behind, writer), return_exceptions=True)

    async def _pump(self, reader, writer):
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
