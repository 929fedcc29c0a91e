"""The three shapes a node can take: one method each, no base class.

A node is a dataclass. Its public fields are its YAML parameters; its state is ``init=False``. It
declares ``takes`` and ``gives`` as tuples of payload types. Three more methods are optional:

* ``open(services)`` and ``close()`` -- always paired; devices and models open here, never earlier.
  Plain methods in a transform (they run in its lane), coroutines in a source or sink.
* ``async handle(command)`` -- answers the commands listed in ``handles``; runs on the loop. What it
  changes reaches ``process`` through a service, never by touching a transform's state.

`Gap` and `Absent` concern everybody: a transform that does not list them in ``takes`` is passed by,
and they reach its readers untouched. One that lists them must hand them on.

A sink that must know which node gave a packet has ``async write_from(giver, packet)`` beside
``write``, and the engine calls that instead.

Class attributes the engine reads:

* ``live`` (sources) -- true for a device: stamped by the clock, dropped when late.
* ``keeps`` (sinks) -- true when it writes what it takes to a disk: a ``private`` pipeline joins it
  to no node that gives sound or pictures.
* ``latest_only`` (sources) -- a late packet is worth nothing (pictures): the door keeps just one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, ClassVar, Protocol, runtime_checkable

from .packet import Packet

Types = tuple[type, ...]


@runtime_checkable
class Source(Protocol):
    """Brings packets in from the world.

    Raises `DeviceError` from ``packets`` when its device fails; the engine then restarts it.
    """

    gives: ClassVar[Types]

    def packets(self) -> AsyncIterator[Packet[Any]]:
        """Yield packets with strictly rising ``t_us`` until the source is dry."""
        ...


@runtime_checkable
class Transform(Protocol):
    """Turns one packet into zero or more. Synchronous, deterministic, no I/O on the loop."""

    takes: ClassVar[Types]
    gives: ClassVar[Types]

    def process(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """Yield what ``packet`` becomes; never write into it."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Hands packets out to the world."""

    takes: ClassVar[Types]

    async def write(self, packet: Packet[Any]) -> None:
        """Deliver one packet."""
        ...


Node = Source | Transform | Sink
