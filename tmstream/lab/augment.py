"""More examples out of one: what a listener or onlooker would still call the same.

Each variant is made by fixed amounts (no dice), so the same sample gives the same examples. They
are marked with their parent, share its take and its person, and are never tested on. Nothing is
mirrored: for an artist left and right may be two labels. Louder and quieter sounds and shifts in
time are left out because they gained nothing (docs/head.md, Augmentation).
"""

from __future__ import annotations

import threading
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.errors import InputError
from ..core.packet import Float32, Landmarks, UInt8
from . import decode
from .excerpt import WEAKER_DB, is_silent
from .sample import Kind, Sample, Sound

#: Names of the variants of each kind; films are left alone, their frames vary enough.
VARIANTS: dict[Kind, tuple[str, ...]] = {
    "sound": ("noise", "higher", "lower", "faster", "slower"),
    "picture": ("left", "right", "darker", "brighter", "nearer"),
    "body": ("jitter", "left", "right"),
    "hand": ("jitter", "left", "right"),
    "face": ("jitter", "left", "right"),
    "video": (),
}
NOISE_DB = -26.0  #: of white noise, beside the sound (mean squares)
#: Of the room's own noise beside the sound itself, where it sounds. Five of each of ten words,
#: asked 20 and 10 dB above four such noises: .79 and .68 right (5 dB nearer: the same; without:
#: .74 and .56). The nearer one hides a short sound, such as a clap.
ROOM_DB = -15.0
#: The room alone is heard before and after a sound in it, or where it begins is not found.
ROOM_BEFORE_S, ROOM_AFTER_S = 1.5, 0.6
SEMITONES = 1.0
TEMPO = 1.12
TURN_DEG = 10.0
BRIGHTNESS = 1.3
CROP = 0.88  #: share of the picture that is kept
JITTER = 0.01  #: of the body's or hand's size
_ONE_AT_A_TIME = threading.Lock()


def sound(piece: Sound, variant: str, room: Sound | None = None) -> Sound:
    """Return a sound with noise (of the ``room``, or white), in another pitch, faster or slower."""
    samples = piece.samples.mean(axis=1)
    if variant == "noise" and room is not None:
        return _in_room(piece, samples, room)
    if variant == "noise":
        power = float(np.mean(samples.astype(np.float64) ** 2))
        noise = _dice(variant).normal(0.0, np.sqrt(power) * 10 ** (NOISE_DB / 20), len(samples))
        return replace(piece, samples=_column(samples + noise))
    if variant in ("higher", "lower"):
        steps = SEMITONES if variant == "higher" else -SEMITONES
        return replace(piece, samples=_column(_pitched(samples, piece.rate_hz, steps)))
    tempo = TEMPO if variant == "faster" else 1 / TEMPO
    return replace(
        piece, samples=_column(_stretched(samples, tempo)), from_s=piece.from_s / tempo,
        until_s=piece.until_s / tempo,
    )  # fmt: skip


def _stretched(samples: Float32, tempo: float) -> Float32:
    """As ``librosa.effects.time_stretch``, which in 1.0 warns of what it does itself."""
    import librosa

    # 1.0 has an array cast before it is filled, and compiles what two threads must not at once.
    with _ONE_AT_A_TIME, np.errstate(invalid="ignore"):
        spectra = librosa.phase_vocoder(librosa.stft(samples), rate=tempo)
    length = round(len(samples) / tempo)
    return np.asarray(librosa.istft(spectra, dtype=samples.dtype, length=length))


def _pitched(samples: Float32, rate_hz: int, steps: float) -> Float32:
    """As ``librosa.effects.pitch_shift``."""
    import librosa

    slower = 2.0 ** (-steps / 12)
    long = librosa.resample(
        _stretched(samples, slower), orig_sr=rate_hz / slower, target_sr=rate_hz
    )
    return np.asarray(librosa.util.fix_length(long, size=len(samples)))


def room_of(file: Path) -> Sound:
    """Return a recording of a room's noise, to be mixed beside sounds.

    Raises:
        InputError: it cannot be decoded, or is silent.
    """
    room = decode.sound(Sample(file, str(file), "sound"))
    if is_silent(room):
        raise InputError(
            f"{file}: silent; record the room with people, machines or the piece in it"
        )
    return room


def _in_room(piece: Sound, samples: Float32, room: Sound) -> Sound:
    import librosa

    noise = room.samples.mean(axis=1)
    if room.rate_hz != piece.rate_hz:
        noise = librosa.resample(noise, orig_sr=room.rate_hz, target_sr=piece.rate_hz)
    before, after = (round(s * piece.rate_hz) for s in (ROOM_BEFORE_S, ROOM_AFTER_S))
    # Another piece of the recording for each sound, and the same one every time.
    at = zlib.crc32(samples.tobytes()) % len(noise)
    noise = np.resize(np.roll(noise, -at), before + len(samples) + after)
    first, last = _sounding(samples, piece.rate_hz)
    power, noise_power = (
        float(np.mean(np.square(x, dtype=np.float64))) for x in (samples[first:last], noise)
    )
    gain = np.sqrt(power / max(noise_power, 1e-20)) * 10 ** (ROOM_DB / 20)
    mixed = noise * gain
    mixed[before : before + len(samples)] += samples
    # Nothing that the room itself says beside it is asked for.
    from_s, until_s = ((before + at) / piece.rate_hz for at in (first, last))
    return Sound(_column(mixed), piece.rate_hz, piece.offset_s - ROOM_BEFORE_S, from_s, until_s)


def _sounding(samples: Float32, rate_hz: int) -> tuple[int, int]:
    """Return from where to where a piece with one sound is not far weaker than its loudest."""
    size = max(1, rate_hz // 100)
    frames = np.append(samples, np.zeros(-len(samples) % size, np.float32)).reshape(-1, size)
    powers = np.mean(np.square(frames, dtype=np.float64), axis=1)
    loud = np.flatnonzero(powers >= powers.max() * 10 ** (-WEAKER_DB / 10))
    return int(loud[0]) * size, min(len(samples), (int(loud[-1]) + 1) * size)


def picture(pixels: UInt8, variant: str) -> UInt8:
    """Return a picture turned, darker, brighter, or from nearer, of the same size."""
    import cv2

    height, width = pixels.shape[:2]
    if variant in ("darker", "brighter"):
        gain = BRIGHTNESS if variant == "brighter" else 1 / BRIGHTNESS
        lit: UInt8 = np.clip(pixels.astype(np.float32) * gain, 0, 255).astype(np.uint8)
        return lit
    angle = {"left": TURN_DEG, "right": -TURN_DEG}.get(variant, 0.0)
    scale = 1 / CROP if variant == "nearer" else 1.0
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    return np.asarray(
        cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def landmarks(given: Landmarks, variant: str) -> Landmarks:
    """Return landmarks turned in the picture's plane, or trembling."""
    import msgspec

    points = given.points.astype(np.float64)
    size = float(np.ptp(points[:, :2], axis=0).max())
    if variant == "jitter":
        points[:, :3] += _dice(variant).normal(0.0, JITTER * size, (len(points), 3))
    else:
        angle = np.deg2rad(TURN_DEG if variant == "left" else -TURN_DEG)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        square = np.array([given.aspect, 1.0])
        middle = points[:, :2].mean(axis=0)
        points[:, :2] = ((points[:, :2] - middle) * square) @ turn / square + middle
    return msgspec.structs.replace(given, points=points.astype(np.float32))


def _dice(variant: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(variant.encode()))


def _column(samples: object) -> Float32:
    return np.clip(np.asarray(samples, np.float32), -1.0, 1.0).reshape(-1, 1)
