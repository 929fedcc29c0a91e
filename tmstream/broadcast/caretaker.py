"""Looks after an engine that nobody watches: the watchdog, the log, the health port, the drift."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.errors import InputError
from ..core.messages import Restart
from ..core.packet import Audio, NodeStatus, Packet, Scores, Status
from ..core.services import Services
from ..maths.drift import Drift
from ..server.beacon import Beacon
from ..server.notify import Supervisor

log = logging.getLogger(__name__)

DISTANCE_GROWN = 0.25  #: share by which the distance to the examples may grow before it is said
LEVEL_SUNK_DB = 10.0
FLOOR_DB = -120.0


@dataclass
class Caretaker:
    """Feeds systemd's watchdog only while packets move or a device is openly awaited.

    Example: ``care: {type: caretaker, from: [mic, head], chains: {mic: [sound]}}``

    ``chains`` names the readers of each source: a source whose packets reach none of them is stuck,
    and so is one that says it runs and brings nothing. ``health_listen`` (``HOST:PORT``) opens a
    port that tells the state and nothing else. Put there by ``tmstream kiosk``; what it sees in the
    scores and the level of its microphones it says when it creeps.
    """

    takes: ClassVar[tuple[type, ...]] = (Status, Scores, Audio)
    handles: ClassVar[tuple[type, ...]] = (Restart,)

    chains: dict[str, list[str]] = field(default_factory=dict)
    health_listen: str | None = None
    _services: Services | None = field(default=None, init=False, repr=False)
    _supervisor: Supervisor = field(default_factory=Supervisor, init=False, repr=False)
    _beacon: Beacon | None = field(default=None, init=False, repr=False)
    _told: dict[str, tuple[str, str | None]] = field(default_factory=dict, init=False, repr=False)
    _wrong: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _creeps: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _ready: bool = field(default=False, init=False, repr=False)
    _distance: dict[str, Drift] = field(default_factory=dict, init=False, repr=False)
    _level: dict[str, Drift] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.health_listen is not None:
            Beacon(self.health_listen, dict)

    async def open(self, services: Services) -> None:
        """Open the health port, if one is wanted; raises `DeviceError` when it is taken."""
        self._services = services
        self._wrong = {"engine": "starting"}
        if self.health_listen is not None:
            self._beacon = Beacon(self.health_listen, lambda: self._wrong)
            port = await self._beacon.start()
            log.info("health on port %d", port)

    async def close(self) -> None:
        """Say that this is an end, not a death."""
        self._supervisor.tell("STOPPING=1")
        if self._beacon is not None:
            await self._beacon.stop()
            self._beacon = None

    async def write(self, packet: Packet[Any]) -> None:
        """Look at a packet of a nameless giver."""
        await self.write_from("", packet)

    async def write_from(self, giver: str, packet: Packet[Any]) -> None:
        """Look at a status, an answer or a sound."""
        data, now_s = packet.data, packet.t_us / 1e6
        if isinstance(data, Status):
            self._look(data.nodes)
        elif isinstance(data, Scores):
            self._compare(giver, data, now_s)
        else:
            self._listen(giver, data, now_s)

    async def handle(self, command: Restart) -> dict[str, Any]:
        """Restart the engine: end it, where somebody starts it again.

        Raises:
            InputError: nobody would.
        """
        if not self._supervisor.present:
            raise InputError("nobody would start it again: it does not run as a service")
        log.warning("restarted by the attendant")
        os.kill(os.getpid(), signal.SIGTERM)
        return {"restarting": True}

    def _look(self, nodes: Mapping[str, NodeStatus]) -> None:
        stuck = stuck_sources(nodes, self.chains)
        self._wrong = {
            name: node.message or node.state
            for name, node in nodes.items()
            if node.message is not None or node.state != "running"
        }
        self._wrong |= dict.fromkeys(stuck, "brings nothing")
        self._log(nodes)
        if not stuck:
            lines = ["WATCHDOG=1"] if self._ready else ["READY=1", "WATCHDOG=1"]
            words = "; ".join(f"{name}: {why}" for name, why in self._wrong.items())
            self._supervisor.tell(*lines, f"STATUS={words or 'running'}"[:400].replace("\n", " "))
            self._ready = True

    def _log(self, nodes: Mapping[str, NodeStatus]) -> None:
        for name, node in nodes.items():
            now = (node.state, node.message)
            if self._told.get(name, ("running", None)) != now:
                calm = node.state == "running" and node.message is None
                level = logging.INFO if calm else logging.WARNING
                log.log(
                    level, "%s: %s%s", name, node.state, f": {node.message}" if node.message else ""
                )
            self._told[name] = now

    def _compare(self, giver: str, scores: Scores, now_s: float) -> None:
        near = [one for one in scores.neighbours if one.label == scores.label]
        if scores.label is None or not near:
            return
        nearest = min(near, key=lambda one: one.distance)
        drift = self._distance.setdefault(nearest.space, Drift())
        if not drift.add(nearest.distance, now_s):
            return
        change, usual = drift.change, drift.usual
        grown = change is not None and usual and change > DISTANCE_GROWN * usual
        self._warn(
            nearest.space,
            f"{nearest.space}: what is recognised lies {change / usual:.0%} further from its "
            "examples than it did; the room, the light or the place has changed: teach again"
            if grown and change and usual
            else None,
        )

    def _listen(self, giver: str, audio: Audio, now_s: float) -> None:
        power = (
            float(np.mean(np.square(audio.samples, dtype=np.float64)))
            if audio.samples.size
            else 0.0
        )
        if not np.isfinite(power):
            return
        drift = self._level.setdefault(giver, Drift(least_values=50))
        if not drift.add(10 * np.log10(power) if power > 1e-12 else FLOOR_DB, now_s):
            return
        change = drift.change
        sunk = change is not None and change < -LEVEL_SUNK_DB
        self._warn(
            giver,
            f"{giver}: {-change:.0f} dB quieter than it was; look at the microphone"
            if sunk and change is not None
            else None,
        )

    def _warn(self, what: str, message: str | None) -> None:
        """Say what creeps, until it is well again."""
        assert self._services is not None
        if message is not None and what not in self._creeps:
            log.warning(message)
        had = self._creeps.pop(what, None)
        if message is not None:
            self._creeps[what] = message
        if message is not None or had is not None:
            self._services.notice("; ".join(self._creeps.values()) or None)


def stuck_sources(nodes: Mapping[str, NodeStatus], chains: Mapping[str, list[str]]) -> list[str]:
    """Return the sources that neither bring packets to a reader nor openly await their device."""
    stuck = []
    for source, readers in chains.items():
        node = nodes.get(source)
        if node is None or _awaits(node):
            continue
        arrives = [nodes[name] for name in readers if name in nodes]
        moves = node.rate_hz > 0 and (
            not arrives or any(one.rate_hz > 0 or _awaits(one) for one in arrives)
        )
        if not moves:
            stuck.append(source)
    return stuck


def _awaits(node: NodeStatus) -> bool:
    return node.state == "waiting" or node.message is not None
