"""Tell systemd how we are (``sd_notify``): a datagram to the socket it names, or nothing."""

from __future__ import annotations

import contextlib
import os
import socket


class Supervisor:
    """Whoever started us and would start us again; without one, every call does nothing."""

    def __init__(self, address: str | None = None) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET") if address is None else address

    @property
    def present(self) -> bool:
        """Whether somebody supervises this process."""
        return bool(self._address)

    def tell(self, *lines: str) -> None:
        """Send lines such as ``READY=1``, ``WATCHDOG=1``, ``STATUS=...``."""
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        # A leading @ stands for Linux's abstract names.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
        ):
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(), address)
