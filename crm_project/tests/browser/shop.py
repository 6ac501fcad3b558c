"""A shop: pages of another origin that include our script."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Shop</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>
<body><main><h1>Чайники</h1><p>Все виды чайников.</p><div id="here"></div></main>
<script src="{script}" async {attributes}></script></body></html>"""


class Shop:
    """`url` is its origin; its one page is what `show` was last told."""

    def __init__(self, port: int, script: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.script, self.policy, self.page = script, "", b""

    def show(self, *, lang: str = "ru", attributes: str = "", policy: str = "") -> str:
        """The address of a page that includes the script with those attributes."""
        self.policy = policy
        self.page = PAGE.format(lang=lang, script=self.script, attributes=attributes).encode()
        return f"{self.url}/"


@contextmanager
def open_shop(script: str) -> Iterator[Shop]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if shop.policy:
                self.send_header("Content-Security-Policy", shop.policy)
            self.end_headers()
            self.wfile.write(shop.page)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shop = Shop(server.server_port, script)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
