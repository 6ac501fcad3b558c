"""Holds a socket for a node as systemd does, so that it survives the node's restart.

`hold.py PORT FILE` runs the shell command in FILE with that socket; SIGHUP ends it and runs what
FILE holds then. SIGTERM ends both.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import FrameType

FIRST = 3  # where the protocol of LISTEN_FDS begins


def run(port: int, file: Path) -> None:
    again = True
    node: subprocess.Popen[bytes]

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal again
        again = number == signal.SIGHUP
        node.terminate()

    with socket.create_server(("127.0.0.1", port), backlog=4096) as held:
        os.dup2(held.fileno(), FIRST)
        while again:
            again = False
            command = f"LISTEN_FDS=1 LISTEN_PID=$$ exec {file.read_text()}"
            node = subprocess.Popen(["sh", "-c", command], pass_fds=[FIRST])
            signal.signal(signal.SIGHUP, end)
            signal.signal(signal.SIGTERM, end)
            node.wait()


if __name__ == "__main__":
    run(int(sys.argv[1]), Path(sys.argv[2]))
