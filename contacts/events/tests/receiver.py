"""A receiver on loopback, which answers as a test wants, and keeps what came."""

import http.server
import threading
from contextlib import contextmanager


class Receiver(http.server.ThreadingHTTPServer):
    """`answers` are statuses, or functions of the handler, in their order; then 204 for all."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.lock = list(answers), threading.Lock()
        # Of each request: path, headers, body.
        self.got = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.got.append((self.path, dict(self.headers), body))
            answer = self.server.answers.pop(0) if self.server.answers else 204
        if callable(answer):
            answer(self)
            return
        self.send_response(answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        """Tests have their own."""


@contextmanager
def receiving(*answers):
    with Receiver(*answers) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
