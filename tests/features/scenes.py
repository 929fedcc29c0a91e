"""What the tests of landmarks show, and how they read what is made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tmstream.core.packet import Packet

FRAME_US = 33_333
ROOM = np.full((240, 320, 3), 120, np.uint8)
DARK = np.full((240, 320, 3), 5, np.uint8)


def kinds(made: list[Packet[Any]], kind: type) -> list[Any]:
    """Return the payloads of one type."""
    return [packet.data for packet in made if isinstance(packet.data, kind)]
