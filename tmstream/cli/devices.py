"""List microphones and cameras."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
def devices() -> None:
    """List the microphones and cameras of this machine, as pipelines name them."""
    for line in microphones():
        click.echo(line)
    for line in cameras():
        click.echo(line)


def microphones() -> list[str]:
    """Return a line for each microphone, or why there is none."""
    try:
        import sounddevice
    except (OSError, ImportError) as error:
        return [
            f"microphones: PortAudio is not here ({error}); Linux: apt-get install libportaudio2"
        ]
    try:
        found = [
            f"microphone {number}: {one['name']} ({one['max_input_channels']} channels, "
            f"{one['default_samplerate']:.0f} Hz)"
            for number, one in enumerate(sounddevice.query_devices())
            if one["max_input_channels"] > 0
        ]
    except sounddevice.PortAudioError as error:
        return [f"microphones: cannot be listed ({error})"]
    return found or ["microphones: none found"]


def cameras() -> list[str]:
    """Return a line for each camera that the system names; none is opened."""
    nodes = sorted(Path("/sys/class/video4linux").glob("video*"))
    if nodes:
        return [
            f"camera {node.name.removeprefix('video')}: {(node / 'name').read_text().strip()}"
            for node in nodes
        ]
    if Path("/sys").is_dir():
        return ["cameras: none found"]
    return ["cameras: this system does not name them; 0 is the first"]
