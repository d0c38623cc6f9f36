"""A reverse proxy between the functions and the emulator that counts what passes: by access key, which tells the function, and operation.

HTTP/1.1 with connections kept open on both sides. Bodies are read whole, so that chunked ones leave with a length; what is signed
stays as it is.
"""

import http.client
import re
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench_operations import operation

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/")
# Headers that concern one connection only (RFC 9110, 7.6.1), and the length, which is set anew.
HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect", "proxy-connection", "content-length"}


class Handler(BaseHTTPRequestHandler):
    """One connection of a client, and one to the emulator."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered, so that an answer leaves in one piece.
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream_port, timeout=60)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def log_message(self, *_) -> None:
        """Says nothing: the counts are the log."""

    def handle_expect_100(self) -> bool:
        """Says at once that the body may come; the client waits for it."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def forward(self) -> None:
        """Passes one request on, its answer back, and counts it."""
        body = self.body()
        try:
            answer = self.ask(body)
            content = answer.read()
        except (OSError, http.client.HTTPException):
            # The client sees a cut connection, as it would without the proxy.
            self.close_connection = True
            return
        self.server.count(self, answer.status)
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, value)
        if self.command == "HEAD" and answer.getheader("Content-Length"):
            self.send_header("Content-Length", answer.getheader("Content-Length"))
        elif answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = forward

    def body(self) -> bytes:
        """The request's body."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # Trailers.
        return b"".join(pieces)

    def ask(self, body: bytes) -> http.client.HTTPResponse:
        """The emulator's answer. A connection that it closed while it was idle is opened again."""
        try:
            return self.send(body)
        except ConnectionError:
            self.upstream.close()
            return self.send(body)

    def send(self, body: bytes) -> http.client.HTTPResponse:
        """Sends the request as it came; the host stays too, because it is signed."""
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP:
                self.upstream.putheader(name, value)
        if body or self.command in ("PUT", "POST", "PATCH"):
            self.upstream.putheader("Content-Length", str(len(body)))
        self.upstream.endheaders(body or None)
        return self.upstream.getresponse()


class Proxy(ThreadingHTTPServer):
    """Listens on `port`, passes on to `upstream_port`, both of this machine."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, upstream_port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.upstream_port = upstream_port
        self.lock = threading.Lock()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.failed = 0
        self.latest: dict[str, float] = {}
        threading.Thread(target=self.serve_forever, daemon=True, name="proxy").start()

    def handle_error(self, *_) -> None:
        """A function that is stopped cuts its connections; there is nothing to say about that."""

    def count(self, request: Handler, status: int) -> None:
        """Counts a request that was answered; failures of the emulator besides, because clients repeat those."""
        found = CREDENTIAL.search(request.headers.get("Authorization", ""))
        key, service = found.groups() if found else ("", "unsigned")
        name = operation(request.command, request.path, request.headers.get("X-Amz-Target"), service)
        with self.lock:
            self.counts[key, name] += 1
            self.failed += status >= 500
            self.latest[key] = time.monotonic()

    def snapshot(self) -> Counter[tuple[str, str]]:
        """The counts until now, by access key and operation."""
        with self.lock:
            return self.counts.copy()

    def quiet_for(self, keys: set[str]) -> float:
        """Seconds since the last request of any of these access keys."""
        with self.lock:
            return time.monotonic() - max((at for key, at in self.latest.items() if key in keys), default=0)
