"""The door: one port for pages and sockets, and every message to everybody who may hear it.

    hub = Hub(settings, commands, describe, clock=clock)
    await hub.start()                 # DeviceError: port in use
    hub.publish("prediction", (node, "prediction", subject), encoded, label="clap")
    await hub.stop()                  # within 5 seconds, whatever the clients do

``describe()`` returns the `Hello` of this moment; the hub puts the client's role into it. All of it
runs on the loop. Who may come in is decided in `entrance` (by `policy`), what goes to whom in
`session`; this file only moves bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Hashable

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from ..core import messages as m
from ..core.clock import Clock, MonotonicClock
from ..core.services import Commands
from . import policy, state
from .client import Client
from .encode import dump, simulated
from .entrance import Entrance, is_loopback
from .invite import Invitations
from .metrics import Metrics, ailing
from .policy import Role
from .session import Refused, Session
from .settings import ServerSettings
from .sockets import Connection, listen, tls_context, wire_log
from .tokens import Grant, Guesses, Tokens
from .uplink import JPEG, PICTURE_HEADER, Uplink
from .uploads import Uploads

log = logging.getLogger(__name__)

TICK_S = 0.02  #: how often waiting messages and slow clients are looked at
STOP_S = 5.0


class Hub:
    """Serves the pages, admits clients, and publishes to them.

    Raises:
        InputError: the tokens cannot be kept.
    """

    def __init__(
        self,
        settings: ServerSettings,
        commands: Commands,
        describe: Callable[[], m.Hello],
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.commands = commands
        self.describe = describe
        self.clock = clock or MonotonicClock()
        self.uplink = Uplink()
        self.uploads = Uploads()
        self.metrics = Metrics()
        self.folder = state.state_folder()
        self.tokens = Tokens(self.folder)
        self._entrance = Entrance(
            settings, self.folder, self.metrics,
            facts=self._facts, room=self._has_room, refused=self._tell_refused,
            offered=self.uploads.fetch,
        )  # fmt: skip
        self.invitations = Invitations(settings, self.tokens, self._entrance.url, self.folder)
        #: The sink that speaks for the engine as a whole; all websocket nodes share this hub.
        self.status_from: object | None = None
        self.status: m.StatusMessage | None = None
        self.recorder: Client | None = None
        self._servers: list[Server] = []
        self._clients: dict[ServerConnection, Client] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._guesses = Guesses(settings.limits.failed_auths_per_minute)

    # --- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen.

        Raises:
            DeviceError: the port is in use, or the certificate cannot be read.
        """
        context = tls_context(self.settings)
        bound = listen(self.settings)
        port = bound[0].getsockname()[1]
        self._entrance.open(port, tls=context is not None)
        for sock in bound:
            self._servers.append(
                await serve(
                    self._serve_client,
                    sock=sock,
                    ssl=context,
                    process_request=self._entrance.answer,  # type: ignore[arg-type]
                    create_connection=Connection,
                    compression=None,  # encoded once for all; small messages; no zip bombs
                    server_header=None,
                    logger=wire_log,
                    max_size=self.settings.limits.viewer_message_bytes,
                    open_timeout=10,
                    close_timeout=1,
                    write_limit=(1, 0),  # so that "paused" means: this client has not read all yet
                )
            )
        self._ticker = asyncio.create_task(self._tick())
        state.note_running(self.folder, state.Running(port, context is not None))

    async def stop(self) -> None:
        """Say goodbye to everybody, within five seconds."""
        state.forget_running(self.folder, self.port)
        if self._ticker is not None:
            self._ticker.cancel()
        for server in self._servers:
            server.close(close_connections=False)
        clients = list(self._clients.values())
        for client in clients:
            if client.connection.paused:
                client.connection.transport.abort()  # it would not read the goodbye either
        goodbyes = [asyncio.create_task(client.close()) for client in clients]
        if goodbyes:
            await asyncio.wait(goodbyes, timeout=STOP_S / 2)
        for client in clients:
            client.connection.transport.abort()
        closing = [asyncio.create_task(server.wait_closed()) for server in self._servers]
        if closing:
            _, late = await asyncio.wait(closing, timeout=STOP_S / 2)
            for task in late:
                task.cancel()
        self._servers.clear()
        self.uploads.close()

    # --- what others ask ----------------------------------------------------------------------

    @property
    def port(self) -> int:
        """Return the port, also when a free one was taken."""
        return self._entrance.door.port

    @property
    def clients(self) -> int:
        """Return how many are connected."""
        return len(self._clients)

    def studio_url(self) -> str:
        """Return the studio's address with a fresh one-time code in its fragment."""
        return self.invitations.of("control")["url"]

    def page_url(self, path: str = "sketch/") -> str:
        """Return the address of a page on the sketches' side."""
        return self._entrance.url("localhost", path)

    def publish(
        self,
        kind: str,
        key: Hashable | None,
        data: bytes,
        label: str | None = None,
        role: Role = "viewer",
    ) -> None:
        """Send an encoded message to everybody who may and wants to hear it.

        ``kind`` is its type. ``key`` names a state of which a slow client needs the latest only;
        None queues it (events). ``label`` is what it is about; ``role`` the least that may hear it.
        """
        self.metrics.messages.labels(kind).inc()
        if not self._clients:
            return
        # One frame for all: servers do not mask, and no extension is ever negotiated.
        frame = Frame(Opcode.TEXT, data).serialize(mask=False)
        now_s = asyncio.get_running_loop().time()
        least = policy.RANKS[role]
        for connection, client in self._clients.items():
            session = client.session
            # A client that vanished is closing below before the protocol knows.
            if connection.protocol.state is not State.OPEN or connection.transport.is_closing():
                continue
            if role != "viewer" and policy.RANKS[session.role] < least:
                continue
            if session.plain and not connection.paused:
                connection.transport.write(frame)
            else:
                client.offer(kind, key, frame, label, now_s)

    def watchers(self, *, viewers: bool) -> list[Client]:
        """Return who asked for the camera's pictures and may see them: on this machine only.

        Without ``viewers`` that is control alone.
        """
        return [
            client
            for client in self._clients.values()
            if client.session.watches
            and is_loopback(client.address)
            and (client.session.role == "control" or (viewers and client.session.role != "none"))
        ]

    def show(self, watchers: list[Client], name: str, t_us: int, jpeg: bytes) -> None:
        """Send a picture of node ``name``; whoever is still busy with one gets the next instead."""
        header = PICTURE_HEADER.pack(JPEG, 0, 0, 0, t_us)
        frame = Frame(Opcode.BINARY, header + jpeg).serialize(mask=False)
        now_s = asyncio.get_running_loop().time()
        for client in watchers:
            if client.connection.protocol.state is State.OPEN:
                client.offer("video", (name, "video"), frame, None, now_s)

    def observe(self, status: m.StatusMessage) -> None:
        """Keep the engine's state for ``/health`` and ``/metrics``."""
        self.status = status
        self.metrics.observe(status)

    def simulate(self, command: m.Simulate) -> None:
        """Send a test event, marked as one, to everybody."""
        self.publish(*simulated(command, self.clock.now_us()))

    def allow_origin(self, origin: str) -> str:
        """Let pages of ``origin`` listen, now and after the next start."""
        return self._entrance.allow_origin(origin)

    def authenticate(self, client: Client, command: m.Auth) -> Grant | None:
        """Return what a token or code is worth, or None; guessing is slowed down.

        Raises:
            Refused: too many failures lately from this address and origin.
        """
        now_s = asyncio.get_running_loop().time()
        who = (client.address, client.origin)
        if self._guesses.too_many(who, now_s):
            raise Refused(command.id, "too_many", "too many wrong tokens; wait a minute")
        grant = self.tokens.trade(token=command.token, code=command.code)
        if grant is None:
            self._guesses.wrong(who, now_s)
        return grant

    def hello(self, role: Role) -> m.Hello:
        """Return the greeting for a role; a stranger learns nothing but that a token is needed."""
        if role != "none":
            return msgspec.structs.replace(self.describe(), role=role)
        return m.Hello(
            version="", pipeline="", project=None, labels=[], active_labels=[], spaces=[],
            streams=[], role=role, unix_offset_us=0,
        )  # fmt: skip

    # --- what the entrance asks -----------------------------------------------------------------

    def _has_room(self, address: str) -> bool:
        limits = self.settings.limits
        if len(self._clients) >= limits.clients:
            return False
        same = sum(client.address == address for client in self._clients.values())
        return is_loopback(address) or same < limits.clients_per_address

    def _tell_refused(self, origin: str) -> None:
        self.publish("origin_refused", None, dump(m.OriginRefused(origin)), role="control")

    def _facts(self) -> dict[str, object]:
        """What our own pages and programs may know: is the engine well, and what is not."""
        ill = ailing(self.status) if self.status is not None else {}
        return {"version": self.describe().version, "clients": self.clients, "waiting": ill}

    # --- clients ------------------------------------------------------------------------------

    async def _serve_client(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Connection)
        now_s = asyncio.get_running_loop().time()
        session = Session(self.settings.limits, connection.admission, now_s)
        client = Client(self, connection, session)
        self._clients[connection] = client
        self.metrics.clients.set(len(self._clients))
        try:
            with contextlib.suppress(ConnectionClosed):
                await client.run()
        finally:
            del self._clients[connection]
            self.metrics.clients.set(len(self._clients))

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = loop.time()
            for client in tuple(self._clients.values()):
                if client.tick(now_s):
                    log.warning("a client read too slowly and was cut off")
                    self.metrics.evicted.inc()
