"""Teach from a source that performs labels by itself: the demo needs no microphone."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable

from ..core.packet import Audio, Embedding, Packet
from ..engine.registry import Registry
from ..engine.spec import Pipeline
from ..store.project import NewExample, Project
from .choice import SETTING
from .decode import Sound
from .embedder import Embedder
from .part import graph_for
from .samples import Sample

TAKES = 6
EVERY_S = 2.0
#: Another performance than the one that is shown later.
SEED = 7919


def teach_performer(
    project: Project, pipeline: Pipeline, registry: Registry, labels: Iterable[str]
) -> None:
    """Let the ``synthetic`` node perform each label a few times, and teach what is heard."""
    batch = uuid.uuid4().hex
    with Embedder(graph_for(pipeline, registry, "sound")) as embedder:
        if project.setting(SETTING) is None:
            project.set_settings({SETTING: pipeline.path.stem}, batch=batch)
        prints = embedder.fingerprints()
        for label in labels:
            performed = asyncio.run(_perform(registry, label))
            made: list[NewExample] = []
            makers: dict[str, str] = {}
            for take, piece in enumerate(_turns(performed)):
                heard = embedder.hear(Sample(pipeline.path, label, "sound", label), piece)
                made += [
                    NewExample(
                        label=label, space=packet.data.space, vector=packet.data.vector,
                        take=f"{label} {take}", source="synthetic", t_us=packet.t_us,
                        end_us=packet.data.end_us, phase=packet.data.phase,
                        clip=heard.clip(packet),
                    )
                    for packet in heard.embeddings
                ]  # fmt: skip
                makers |= {
                    f"space:{packet.data.space}": prints[node]
                    for node, packet in heard.packets
                    if isinstance(packet.data, Embedding) and node in prints
                }
            project.set_settings(makers, batch=batch)
            project.add(made, batch=batch)


async def _perform(registry: Registry, label: str) -> list[Packet[Audio]]:
    source = registry["synthetic"](
        sounds=[label], every_s=EVERY_S, seed=SEED, seconds=TAKES * EVERY_S
    )
    return [packet async for packet in source.packets()]


def _turns(packets: list[Packet[Audio]]) -> list[Sound]:
    """Return one piece a turn."""
    import numpy as np

    samples = np.concatenate([packet.data.samples for packet in packets])
    rate_hz = packets[0].data.rate_hz
    size = round(EVERY_S * rate_hz)
    return [
        Sound(samples[at : at + size], rate_hz, 0.0, 0.0, EVERY_S)
        for at in range(0, len(samples) - size + 1, size)
    ]
