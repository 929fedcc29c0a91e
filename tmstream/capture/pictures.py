"""Single pictures as a source: a folder of them, or one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..backends.pictures import PICTURE_ENDINGS, decode_picture
from ..core.errors import InputError
from ..core.node import Types
from ..core.packet import Gap, Image, Packet
from ..core.services import Services
from ._ahead import read_ahead


@dataclass
class Pictures:
    """One picture, or all pictures of a folder by name, ``every_s`` seconds apart from time 0.

    Before each comes a `Gap`: nothing of one picture (a person, smoothing) reaches the next.

        cam: {type: pictures, path: photos}
    """

    gives: ClassVar[Types] = (Image,)
    live: ClassVar[bool] = False

    path: str
    every_s: float = 1.0

    def __post_init__(self) -> None:
        if self.every_s <= 0:
            raise ValueError("every_s must be above 0")

    async def open(self, services: Services) -> None:
        """Raises `InputError` when there is nothing to show."""
        if not self._files():
            raise InputError(f"{self.path}: no picture there (jpg, png, webp, bmp, gif or tiff)")

    async def packets(self) -> AsyncIterator[Packet[Image | Gap]]:
        """Yield a `Gap` and an `Image` for each picture; raises `InputError` for a damaged one."""
        async for packet in read_ahead(self._shown):
            yield packet

    def _files(self) -> list[Path]:
        path = Path(self.path).expanduser()
        if path.is_file():
            return [path]
        return sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURE_ENDINGS)

    def _shown(self) -> Iterator[Packet[Image | Gap]]:
        for index, file in enumerate(self._files()):
            t_us = round(index * self.every_s * 1e6)
            yield Packet(t_us, Gap("another picture"))
            yield Packet(t_us, Image(decode_picture(file)))
