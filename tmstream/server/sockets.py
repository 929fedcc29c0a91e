"""Listening sockets, and the one subclass of websockets' connection that the hub needs."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import Event

from ..core.errors import DeviceError
from .policy import Admission
from .settings import ServerSettings

#: The kernel's own buffer holds what a client does not read: with the default, megabytes go in
#: before anything can be noticed here.
SEND_BUFFER_BYTES = 64 * 1024

#: Its own level, so that no one's debug logging can print frames, and tokens with them.
wire_log = logging.getLogger("tmstream.server.wire")
wire_log.setLevel(logging.CRITICAL)

MOST_PIECES = 256  #: of one message

_NOT_ALLOWED = (
    b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)
_METHODS = (b"GET ", b"HEAD ")


def listen(settings: ServerSettings) -> list[socket.socket]:
    """Return bound sockets: the address asked for, and for loopback ``::1`` with the same port.

    Raises:
        DeviceError: the port is taken, or the address is not one of this machine's.
    """
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        first = _bind(family, host, settings.port)
    except OSError as error:
        raise DeviceError(_explain(error, host, settings.port)) from None
    bound = [first]
    if host == "127.0.0.1":
        # Some systems resolve "localhost" to ::1 alone. A machine without IPv6 goes on without it.
        try:
            bound.append(_bind(socket.AF_INET6, "::1", first.getsockname()[1]))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and settings.port:
                first.close()
                raise DeviceError(_explain(error, "[::1]", settings.port)) from None
            if error.errno == errno.EADDRINUSE:
                first.close()
                return listen(settings)
    return bound


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off for sockets that say they are TCP, and only for them: with
    # it the second of two messages waited 40 ms for the acknowledgement of the first.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # On Windows SO_REUSEADDR would let another program share the port.
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        sock.bind((host, port))
        sock.listen(512)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use, perhaps by another tmstream: "
            "stop it, or choose another with --port"
        )
    if error.errno == errno.EACCES:
        return f"port {port} may not be opened by this user: choose one above 1023 with --port"
    if error.errno in (errno.EADDRNOTAVAIL, socket.EAI_NONAME):
        return f"{host} is not an address of this machine; server.host is usually 127.0.0.1"
    return f"cannot listen on {host}, port {port}: {error.strerror or error}"


def tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """Return what TLS needs, or None without a certificate.

    Raises:
        DeviceError: certificate and key cannot be used.
    """
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise DeviceError(f"server.tls_cert: cannot use {settings.tls_cert}: {error}") from None
    return context


class Connection(ServerConnection):
    """Says when its socket is empty again, and answers 405 before the parser meets a body."""

    admission: Admission = Admission("none", "none")  #: what it may be; the entrance decides
    on_drained: Callable[[], None] | None = None
    _head = b""
    _pieces = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the kernel holds for this client."""
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Look at the method before anything else does."""
        if self.request is None and len(self._head) < len(_METHODS[1]):
            self._head += data[: len(_METHODS[1])]
            if not any(m.startswith(self._head[: len(m)]) for m in _METHODS):
                self.transport.write(_NOT_ALLOWED)
                self.transport.close()
                return
        super().data_received(data)

    def process_event(self, event: Event) -> None:
        """Cut off whoever sends a message in endless pieces: even empty ones take memory."""
        if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
            self._pieces = 0 if event.fin else self._pieces + 1
            if self._pieces > MOST_PIECES:
                self.transport.abort()
                return
        super().process_event(event)

    def resume_writing(self) -> None:
        """Called by asyncio when the write buffer has fallen to its low-water mark: here, empty."""
        super().resume_writing()
        if self.on_drained is not None:
            self.on_drained()


def address_of(connection: Any, end: str) -> str:
    """Return the numeric address of ``end`` ("peername" or "sockname") of a connection."""
    name = connection.transport.get_extra_info(end)
    return str(name[0]) if isinstance(name, tuple) else ""
