"""A node that dies over every request: takes it in whole, notes it, closes. `mute.py PORT FILE`."""

import socket
import sys
from pathlib import Path


def take(connection: socket.socket) -> str:
    """The first line of a request whose head and body have come."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(65536)
    head, _, body = text.partition(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    due = int(lengths[0].split(b":")[1]) if lengths else 0
    while len(body) < due:
        body += connection.recv(65536)
    return head.split(b"\r\n")[0].decode()


def main(port: int, file: Path) -> None:
    with socket.create_server(("127.0.0.1", port)) as server, file.open("a") as notes:
        while True:
            connection, _ = server.accept()
            with connection:
                print(take(connection), file=notes, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
