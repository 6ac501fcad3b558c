"""Ports of loopback for what a test serves."""

import os
import socket
from itertools import cycle

# Below those that systems give to clients: one of them could take a port before its server does.
# Processes of the tests run beside each other, and no two of them take each other's either.
FIRST, SLOTS, OF_EACH = 20_000, 1_200, 10
_mine = cycle(range(OF_EACH))


def free_port() -> int:
    """One that nobody listens on."""
    start = FIRST + os.getpid() % SLOTS * OF_EACH
    for _attempt in range(OF_EACH):
        port = start + next(_mine)
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError(f"all ports from {start} to {start + OF_EACH - 1} are taken")
