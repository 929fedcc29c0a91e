"""The thread of one client's life: greet, read, obey, answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable
from typing import Any, Protocol

import msgspec
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from ..core import messages as m
from ..core.clock import Clock
from ..core.errors import InputError, TmstreamError
from ..core.services import Commands
from .invite import Invitations
from .metrics import Metrics
from .orders import Orders
from .policy import Role
from .session import Bucket, Refused, Session
from .settings import ServerSettings
from .sockets import Connection, address_of
from .tokens import Grant
from .uplink import Kind, Uplink, parse
from .uploads import PIECE, Uploads

log = logging.getLogger(__name__)

MEDIA_PER_S = 200.0
#: Replies that a client may have under way: all examples of a large project are one long line.
MOST_ASKED_BYTES = 16 * 2**20

_encoder = msgspec.json.Encoder()


class Inside(Protocol):
    """What a client needs of the hub that it is connected to."""

    settings: ServerSettings
    commands: Commands
    clock: Clock
    uplink: Uplink
    uploads: Uploads
    metrics: Metrics
    invitations: Invitations
    recorder: Client | None  #: whose recording is under way, without an end of its own

    def hello(self, role: Role) -> m.Hello:
        """Return the greeting for a role."""
        ...

    def authenticate(self, client: Client, command: m.Auth) -> Grant | None:
        """Return what a token or code is worth."""
        ...

    def simulate(self, command: m.Simulate) -> None:
        """Send a test event to everybody."""
        ...

    def allow_origin(self, origin: str) -> str:
        """Let pages of this origin listen."""
        ...


class Client:
    """Joins one socket to its `Session` and to the hub."""

    def __init__(self, hub: Inside, connection: Connection, session: Session) -> None:
        self.connection = connection
        self.session = session
        self.address = address_of(connection, "peername")
        request = connection.request
        self.origin = "".join(request.headers.get_all("Origin")) if request else ""
        self._hub = hub
        self._orders = Orders(self._obey)
        self._loop = asyncio.get_running_loop()
        self._media = Bucket(MEDIA_PER_S, self._loop.time())
        self._buffered = 0
        self._asked_bytes = 0  # of replies since it had read everything
        connection.on_drained = self._flush
        connection.protocol.max_message_size = session.message_bytes

    async def run(self) -> None:
        """Serve until the connection closes; a command that has begun is brought to its end."""
        try:
            self._send(self._hub.hello(self.session.role))
            async for frame in self.connection:
                if isinstance(frame, str):
                    self._take(frame)
                else:
                    self._take_media(frame)
        finally:
            await self._orders.settle()
            if self._hub.recorder is self:  # a recording that nobody holds any more
                await self._obey(m.RecordStop(id="gone"))
            await self._orders.close()

    async def close(self) -> None:
        """Say that the engine goes away."""
        await self.connection.close(1001, "the engine stops")

    def offer(
        self, kind: str, key: Hashable | None, frame: bytes, label: str | None, now_s: float
    ) -> None:
        """Write an encoded frame now, keep it for later, or leave it out."""
        blocked = self.connection.paused
        ready = self.session.offer(kind, key, frame, label, now_s, blocked=blocked)
        if ready is not None:
            self.connection.transport.write(ready)

    def tick(self, now_s: float) -> bool:
        """Send what was waiting for its time; return whether this client had to be cut off."""
        connection, session = self.connection, self.session
        if not connection.paused:
            if session.has_paced or not session.empty:
                self._flush()
            self._buffered = self._asked_bytes = 0
            return False
        held = connection.transport.get_write_buffer_size()
        if held < self._buffered or not self._buffered:
            session.moved(now_s)  # it has read something, or has only just fallen behind
        self._buffered = held
        unasked = held - min(self._asked_bytes, MOST_ASKED_BYTES)
        if not session.too_slow(now_s, blocked=True, socket_bytes=unasked):
            return False
        connection.transport.abort()
        return True

    def _send(self, message: m.Message) -> None:
        """Queue a message to this client alone; it keeps its order."""
        if self.connection.protocol.state is not State.OPEN:
            return
        frame = Frame(Opcode.TEXT, _encoder.encode(message)).serialize(mask=False)
        self._asked_bytes += len(frame)
        if self.connection.paused or not self.session.empty:
            self.session.hold(frame)
        else:
            self.connection.transport.write(frame)

    def _flush(self) -> None:
        if self.connection.protocol.state is not State.OPEN:
            return
        for frame in self.session.release(self._loop.time()):
            self.connection.transport.write(frame)

    # --- commands -----------------------------------------------------------------------------

    def _take(self, text: str) -> None:
        was_stranger = self.session.role == "none"
        try:
            command = self.session.receive(text, self._loop.time())
            result = self._obey_here(command)
        except Refused as refused:
            self._count("?", refused.reply)
            self._send(refused.reply)
            return
        if result is None:
            return
        self._reply(command, result)
        if was_stranger and self.session.role != "none":
            # Whoever could be told nothing before is greeted again.
            self._send(self._hub.hello(self.session.role))

    def _obey_here(self, command: m.Command) -> dict[str, Any] | None:
        """Return the result of what is done here; queue what is not, and return None."""
        match command:
            case m.Ping():
                return {"t_us": self._hub.clock.now_us()}
            case m.Subscribe():
                return self.session.subscribe(command)
            case m.Auth():
                return self._authenticate(command)
            case m.Simulate():
                self._hub.simulate(command)
                return {}
            case m.NewCode():
                return self._hub.invitations.of(command.role)
            case m.ViewerLink():
                try:
                    return self._hub.invitations.for_phones()
                except InputError as error:
                    raise Refused(command.id, "refused", str(error)) from None
            case m.AllowOrigin():
                try:
                    return {"origin": self._hub.allow_origin(command.origin)}
                except InputError as error:
                    raise Refused(command.id, "bad_message", str(error)) from None
        try:
            self._orders.put(command)
        except asyncio.QueueFull:
            raise Refused(command.id, "busy", "earlier commands are not done yet") from None
        return None

    def _authenticate(self, command: m.Auth) -> dict[str, Any]:
        grant = self._hub.authenticate(self, command)
        if grant is None:
            raise Refused(command.id, "wrong_token", "this token or code is not valid (any more)")
        role = self.session.promote(grant.role)
        self.connection.protocol.max_message_size = self.session.message_bytes
        return {"session": grant.session, "role": role}

    async def _obey(self, command: m.Command) -> None:
        if isinstance(command, m.RecordStop):
            self._hub.recorder = None
        try:
            result = await self._hub.commands.dispatch(command)
        except InputError as error:
            self._fail(command, "refused", str(error))
        except TmstreamError as error:
            log.error("%s failed: %s", _tag(command), error)
            self._fail(command, "failed", str(error))
        except Exception:  # a fault in one command must not end the show
            log.exception("%s failed", _tag(command))
            self._fail(command, "failed", "the engine made a mistake; its log says more")
        else:
            if isinstance(command, m.RecordStart) and command.seconds is None:
                self._hub.recorder = self
            self._reply(command, result)

    def _reply(self, command: m.Command, result: Any) -> None:
        try:
            self._say(command, m.Reply(id=command.id, ok=True, result=result))
        except (TypeError, ValueError) as error:
            log.error("the result of %s cannot be sent: %s", _tag(command), error)
            self._fail(command, "failed", "the result cannot be sent")

    def _fail(self, command: m.Command, code: str, message: str) -> None:
        self._say(command, m.Reply(id=command.id, ok=False, error=m.ErrorPart(code, message)))

    def _say(self, command: m.Command, reply: m.Reply) -> None:
        self._send(reply)
        self._count(_tag(command), reply)

    def _count(self, kind: str, reply: m.Reply) -> None:
        outcome = "ok" if reply.error is None else reply.error.code
        self._hub.metrics.commands.labels(kind, outcome).inc()

    # --- sound and pictures -------------------------------------------------------------------

    def _take_media(self, frame: bytes) -> None:
        refused = None
        if self.session.role != "control":
            refused = ("not_allowed", "sound and pictures need control")
        elif len(frame) > self._hub.settings.limits.media_bytes:
            refused = ("too_long", "a media frame is too long")
        elif frame[:1] != bytes([PIECE]) and not self._media.take(self._loop.time()):
            refused = ("too_many", f"at most {MEDIA_PER_S:g} media frames a second")
        if refused is None:
            try:
                now_us = self._hub.clock.now_us()
                if frame[:1] == bytes([PIECE]):
                    self._hub.uploads.put(frame)
                else:
                    self._hub.uplink.put(parse(frame, self, self._acknowledge, now_us))
            except InputError as error:
                refused = ("bad_message", str(error))
        if refused is not None:
            self._send(m.Reply(id=None, ok=False, error=m.ErrorPart(*refused)))

    def _acknowledge(self, kind: Kind, seq: int, error: str | None) -> None:
        self._send(m.MediaAck(kind, seq, error))


def _tag(command: m.Command) -> str:
    return str(type(command).__struct_config__.tag)
