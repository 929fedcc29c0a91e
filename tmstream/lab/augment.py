"""More examples out of one: what a listener or onlooker would still call the same.

Each variant is made by fixed amounts (no dice), so the same sample gives the same examples. They
are marked with their parent, share its take and its person, and are never tested on. Nothing is
mirrored: for an artist left and right may be two labels. Shifts in time are left out on purpose:
the segmenter finds the sound wherever it is.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from ..core.packet import Float32, Landmarks, UInt8
from .decode import Sound
from .samples import Kind

#: Names of the variants of each kind; films are left alone, their frames vary enough.
VARIANTS: dict[Kind, tuple[str, ...]] = {
    "sound": ("noise", "higher", "lower", "faster", "slower"),
    "picture": ("left", "right", "darker", "brighter", "nearer"),
    "body": ("jitter", "left", "right"),
    "hand": ("jitter", "left", "right"),
    "video": (),
}
NOISE_DB = -26.0  #: of added room noise, beside the sound
SEMITONES = 1.0
TEMPO = 1.12
TURN_DEG = 10.0
BRIGHTNESS = 1.3
CROP = 0.88  #: share of the picture that is kept
JITTER = 0.01  #: of the body's or hand's size


def sound(piece: Sound, variant: str) -> Sound:
    """Return a sound with noise, in another pitch, or faster or slower."""
    samples = piece.samples.mean(axis=1)
    if variant == "noise":
        power = float(np.mean(samples.astype(np.float64) ** 2))
        noise = _dice(variant).normal(0.0, np.sqrt(power) * 10 ** (NOISE_DB / 20), len(samples))
        return replace(piece, samples=_column(samples + noise))
    import librosa

    if variant in ("higher", "lower"):
        steps = SEMITONES if variant == "higher" else -SEMITONES
        shifted = librosa.effects.pitch_shift(samples, sr=piece.rate_hz, n_steps=steps)
        return replace(piece, samples=_column(shifted))
    tempo = TEMPO if variant == "faster" else 1 / TEMPO
    stretched = librosa.effects.time_stretch(samples, rate=tempo)
    return replace(
        piece, samples=_column(stretched), from_s=piece.from_s / tempo,
        until_s=piece.until_s / tempo,
    )  # fmt: skip


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
