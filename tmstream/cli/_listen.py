"""From the microphone, with a countdown and a level to look at."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.words import counted
from ._pipeline import chosen
from ._project import opened

if TYPE_CHECKING:
    from ..core.packet import Float32

COUNTDOWN_S = 3
_BAR = 40


def teach_from_microphone(
    project: Path, label: str, pipeline: str | None, person: str | None, seconds: float,
    despite_lock: bool,
) -> int:  # fmt: skip
    """Teach ``label`` from the microphone; returns the exit status."""
    from datetime import datetime

    from ..engine.registry import Registry
    from ..lab import choice
    from ..lab.pool import Pool
    from ..lab.sample import Sample
    from ..lab.teach import teach

    if project.exists():  # nobody shall make a sound to hear that it is not wanted
        with opened(project, despite_lock=despite_lock):
            pass
    with recorded(seconds, f"make the sound {label!r} a few times, with pauses") as recording:
        take = f"microphone {datetime.now():%Y-%m-%d %H:%M:%S}"
        sample = Sample(recording, take, "sound", label, groups={"take": take})
        with opened(project, create=True, despite_lock=despite_lock) as book:
            read = chosen(pipeline, book) or choice.fitting([sample])
            with Pool(read, Registry.installed(), workers=1) as pool:
                pool.check([sample])
                told = teach(
                    book, pool, [sample], person=person,
                    settings={choice.SETTING: choice.name_of(book, read)},
                )[label]  # fmt: skip
    if not told.taken:
        why = ", ".join(told.skipped) or "nothing was heard"
        click.echo(f"error: {label}: {why}; is this the right microphone? (tmstream devices)",
                   err=True)  # fmt: skip
        return 1
    click.echo(f"{label}: {counted(told.examples, 'example')} taken")
    return 0


@contextmanager
def recorded(seconds: float, invitation: str) -> Iterator[Path]:
    """Count down, listen for ``seconds``, and give a WAV file of what was heard, for this while.

    Raises:
        DeviceError: there is no microphone, or it gives nothing.
    """
    import soundfile

    samples, rate_hz = asyncio.run(_listen(seconds, invitation))
    with tempfile.NamedTemporaryFile(suffix=".wav", delete=False) as file:
        path = Path(file.name)
    try:
        soundfile.write(path, samples, rate_hz, subtype="FLOAT")
        yield path
    finally:
        path.unlink(missing_ok=True)


async def _listen(seconds: float, invitation: str) -> tuple[Float32, int]:
    import numpy as np
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from ..core.clock import MonotonicClock
    from ..core.errors import DeviceError
    from ..core.packet import Audio
    from ..engine.handout import NodeServices
    from ..engine.registry import Registry
    from ..engine.stats import NodeStats

    stats = NodeStats()
    microphone = Registry.installed()["microphone"]()
    services = NodeServices("mic", ("mic",), MonotonicClock(), stats, ())
    blocks, held = [], 0.0
    try:  # before the countdown: a missing microphone is said at once
        await microphone.open(services)
    except DeviceError as error:
        raise DeviceError(
            f"{str(error).partition('; or go on')[0]}; or give a recording, or use the studio with "
            "this browser's microphone: tmstream run sound --source mic=browser"
        ) from error
    try:
        with Live(console=Console(stderr=True), refresh_per_second=20, transient=True) as live:
            start_us = services.clock.now_us() + COUNTDOWN_S * 1_000_000
            async for packet in microphone.packets():
                if not isinstance(packet.data, Audio):
                    continue
                left_s = (start_us - services.clock.now_us()) / 1e6
                if left_s > 0:
                    live.update(Text(f"{invitation}: in {left_s:.0f} ..."))
                    continue
                samples = packet.data.samples
                blocks.append(samples)
                held += len(samples) / packet.data.rate_hz
                level_db = 20 * np.log10(max(float(np.sqrt(np.mean(samples**2))), 1e-6))
                filled = round(_BAR * min(1.0, max(0.0, (level_db + 70) / 70)))
                bar = "#" * filled + "." * (_BAR - filled)
                problem = f"  {stats.message}" if stats.message else ""
                live.update(Text(f"{invitation}: {seconds - held:4.1f} s  {bar}{problem}"))
                if held >= seconds:
                    break
    finally:
        await microphone.close()
    return np.concatenate(blocks), microphone.rate_hz
