"""The last moments of a service that is told to end: whoever has come is answered, whoever comes
too late is refused, and nobody is cut.

Each worker accepts whoever waits at the socket and closes it. Whose handshake the kernel completes
between the two, it would reset. So gunicorn's master first has it drop what begins a connection.
See docs/decisions/0012-time-outs.md.
"""

import ctypes
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

# A program for the kernel, by which a socket drops what begins a connection: SYN without ACK.
SO_ATTACH_FILTER = 26
DROP_BEGINNINGS = struct.pack(
    "HBBI" * 5,
    *(0x30, 0, 0, 13),  # load the flags
    *(0x54, 0, 0, 0x12),  # keep SYN and ACK of them
    *(0x15, 0, 1, 0x02),  # unless it is SYN alone, skip one line
    *(0x06, 0, 0, 0),  # drop all of it
    *(0x06, 0, 0, 0xFFFFFFFF),  # drop nothing of it
)


def let_nobody_begin_at_the_end(server: Any) -> None:
    """Of gunicorn's master, when it is told to end; not where others go on with the sockets."""
    stop = server.stop

    def let_nobody_begin_and_stop(graceful: bool = True) -> None:
        given = server.systemd or any(isinstance(each, int) for each in server.cfg.address)
        if not (given or server.reexec_pid or server.master_pid):
            for listener in server.LISTENERS:
                drop_beginnings(listener)
        stop(graceful)

    server.stop = let_nobody_begin_and_stop


def drop_beginnings(listener: Any) -> None:
    """Where the kernel can: who begins to connect tries again in a second, and is refused then."""
    if sys.platform != "linux" or listener.family == socket.AF_UNIX:
        return
    program = ctypes.create_string_buffer(DROP_BEGINNINGS)
    filter_ = struct.pack("HP", len(DROP_BEGINNINGS) // 8, ctypes.addressof(program))
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter_)
