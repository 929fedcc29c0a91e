"""List microphones and cameras."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.errors import DeviceError


@click.command()
def devices() -> None:
    """List the microphones and cameras of this machine, as pipelines name them."""
    try:
        portaudio()
        lines = microphones() or ["microphones: none found"]
    except DeviceError as error:
        lines = [f"microphones: {error}"]
    for line in (*lines, *cameras()):
        click.echo(line)


def portaudio() -> str:
    """Return the version of PortAudio, through which microphones are heard.

    Raises:
        DeviceError: it is not installed.
    """
    try:
        import sounddevice
    except (OSError, ImportError) as error:
        raise DeviceError(
            f"the library is not here ({error}); Linux: apt-get install libportaudio2"
        ) from error
    return str(sounddevice.get_portaudio_version()[1]).removeprefix("PortAudio ").partition(",")[0]


def microphones() -> list[str]:
    """Return a line for each microphone that PortAudio knows.

    Raises:
        DeviceError: they cannot be listed.
    """
    import sounddevice

    try:
        return [
            f"microphone {number}: {one['name']} ({one['max_input_channels']} channels, "
            f"{one['default_samplerate']:.0f} Hz)"
            for number, one in enumerate(sounddevice.query_devices())
            if one["max_input_channels"] > 0
        ]
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"cannot be listed ({error})") from error


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
