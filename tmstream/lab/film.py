"""What is kept with the examples of a film: each frame its own picture, each movement its poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.packet import Embedding, Image, Landmarks, Packet
from ..store import clips
from ..store.project import Clip
from . import decode
from .sample import Sample

#: Poses kept before and after a movement: what its segmenter needs to see where it begins and ends.
AROUND_US = 1_000_000


@dataclass(frozen=True)
class Film:
    """A film that was walked, to be read once more for the few pictures that are kept of it.

    ``poses`` are those of the bodies in it; times from its beginning, as those of its packets.
    """

    sample: Sample
    poses: Sequence[Packet[Landmarks]] = ()

    def clips(self, packets: Sequence[Packet[Embedding]]) -> list[Clip | None]:
        """Return what each of these embeddings of the film was made of."""
        moving = {i: made for i, p in enumerate(packets) if (made := self._movement(p, packets))}
        still = {i: packet.data.end_us for i, packet in enumerate(packets) if i not in moving}
        pictures = self._pictures(sorted(set(still.values())))
        return [moving.get(i) or pictures.get(still[i]) for i in range(len(packets))]

    def _movement(
        self, packet: Packet[Embedding], company: Sequence[Packet[Embedding]]
    ) -> Clip | None:
        """Return the poses of a movement; None of what is of one frame."""
        who, begins_us, ends_us = packet.data.subject, packet.t_us, packet.data.end_us
        if packet.data.phase == "frame":
            return None
        others = [(one.t_us, one.data.end_us) for one in company if one.data.subject == who]
        from_us = max([begins_us - AROUND_US, *(end for _, end in others if end <= begins_us)])
        until_us = min([ends_us + AROUND_US, *(begin for begin, _ in others if begin >= ends_us)])
        seen = [
            one for one in self.poses
            if one.data.subject == who and from_us <= one.t_us <= until_us
        ]  # fmt: skip
        return clips.from_landmarks(seen) if seen else None

    def _pictures(self, wanted_us: Sequence[int]) -> dict[int, Clip]:
        """Return the frames at these times, in order."""
        waiting = list(wanted_us)
        found: dict[int, Clip] = {}

        def look(packet: Packet[Image]) -> None:
            while waiting and waiting[0] <= packet.t_us:
                found[waiting.pop(0)] = clips.from_picture(packet.data.pixels)

        if waiting:
            decode.each_frame(self.sample, look)
        return found
