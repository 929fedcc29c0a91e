"""A performance without an engine: what a small house would say, as the messages of protocol 1.

Two labels of sound and two of pose come round and round; two people stand in the picture. Used to
draw with before (and beside) the real thing, and by the browser tests of the sketch library.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import msgspec

from tmstream.core import messages as m

SOUNDS = ("clap", "whistle", "hum")
POSES = ("arms up", "t pose")
LATENCY = m.LatencyPart(
    onset_us=160_000, capture_us=9_000, embed_us=4_000, head_us=400, total_us=14_000
)
BINS = 48


def hello(role: str = "viewer", examples: int = 60) -> m.Hello:
    return m.Hello(
        version="0.0",
        pipeline="fake.yaml",
        project=m.ProjectPart(path="/somewhere/fake.tms", created=False, examples=examples),
        labels=[*SOUNDS, *POSES],
        active_labels=[],
        spaces=["audio", "body.upper"],
        streams=["prediction", "event", "landmarks", "presence", "spectrum", "status"],
        role=role,
        unix_offset_us=0,
    )


def skeleton(t_s: float, x: float, pose: str | None, size: float = 0.8) -> list[list[float]]:
    """Return 33 points of somebody who sways at ``x`` (0..1) with a pose of the arms."""
    sway = 0.012 * math.sin(2.1 * t_s + 9 * x)
    points = [[x, 0.5, 0.0, 0.9] for _ in range(33)]

    def put(index: int, dx: float, dy: float) -> None:
        points[index] = [x + sway + dx * size, 0.95 - (1 - dy) * size * 0.9, -0.1, 0.95]

    for index in range(11):
        put(index, 0.0 + 0.012 * (index - 5) / 5, 0.08 + 0.01 * math.cos(index))
    wave = 0.04 * math.sin(4 * t_s + 5 * x)
    for left, side in ((11, 1), (12, -1)):
        put(left, 0.075 * side, 0.2)
        if pose == "arms up":
            put(left + 2, (0.12 + wave / 2) * side, 0.12)
            put(left + 4, (0.10 + wave) * side, -0.02)
        elif pose == "t pose":
            put(left + 2, 0.16 * side, 0.2 + wave / 3)
            put(left + 4, 0.26 * side, 0.2 + wave)
        else:
            put(left + 2, 0.095 * side, 0.36)
            put(left + 4, (0.09 + wave) * side, 0.5)
        for index in (left + 6, left + 8, left + 10):
            points[index] = list(points[left + 4])
        put(left + 12, 0.05 * side, 0.55)
        put(left + 14, 0.055 * side, 0.77)
        put(left + 16, 0.06 * side, 0.97)
        put(left + 18, 0.055 * side, 0.99)
        put(left + 20, 0.075 * side, 1.0)
    return points


def spectrum(
    t_s: float, sound: str | None, since_s: float, chance: random.Random
) -> m.SpectrumMessage:
    bins = []
    for index in range(BINS):
        place = index / BINS
        level = 6 * chance.random() - 74 - 8 * place
        if sound == "clap":
            level += 52 * math.exp(-since_s * 9) * (0.75 + 0.25 * chance.random())
        elif sound == "whistle":
            pitch = 0.62 + 0.08 * math.sin(3 * since_s)
            level += 55 * math.exp(-(((place - pitch) / 0.035) ** 2))
        elif sound == "hum":
            level += sum(
                44 / k * math.exp(-(((place - 0.12 * k) / 0.03) ** 2)) for k in (1, 2, 3, 4)
            )
        bins.append(round(min(level, -3.0), 1))
    return m.SpectrumMessage(t_us=int(t_s * 1e6), bins=bins, level_db=round(max(bins) - 4, 1))


def results(label: str | None, labels: tuple[str, ...], sure: float) -> list[m.ResultPart]:
    rest = (1 - sure) / max(1, len(labels) - 1)
    parts = [
        m.ResultPart(
            one, round(sure if one == label else rest, 3), round(0.86 if one == label else 0.2, 3)
        )
        for one in labels
    ]
    return sorted(parts, key=lambda part: -part.confidence)


def prediction(t_s: float, seq: int, label: str | None, subject: str | None = None) -> m.Prediction:
    labels = SOUNDS if subject is None else POSES
    sure = 0.93 if label else 1 / len(labels)
    return m.Prediction(
        node="head",
        t_us=int((t_s - 0.15) * 1e6),
        end_us=int(t_s * 1e6),
        seq=seq,
        subject=subject,
        label=label,
        confidence=sure if label else 0.0,
        rejected=None if label else ("silence" if subject is None else "too_far"),
        results=results(label, labels, sure),
        latency=LATENCY,
        spaces=["audio"] if subject is None else ["body.upper"],
    )


def event(
    kind: str, label: str, t_s: float, subject: str | None = None, **more: float
) -> m.EventMessage:
    return m.EventMessage(
        event=kind,  # type: ignore[arg-type]
        label=label,
        t_us=int(t_s * 1e6),
        onset_us=int((t_s - 0.16) * 1e6),
        subject=subject,
        confidence=0.93,
        latency=LATENCY,
        **more,  # type: ignore[arg-type]
    )


def status(clients: int = 1, examples: int = 60, locked: bool = False) -> m.StatusMessage:
    nodes = {
        "mic": m.NodeStatusPart("running", 62.5, 120, 400, 0),
        "sound": m.NodeStatusPart("running", 12.0, 3800, 5200, 0),
        "cam": m.NodeStatusPart("running", 25.0, 900, 2100, 3),
        "body": m.NodeStatusPart("running", 25.0, 18_500, 24_000, 0),
        "head": m.NodeStatusPart("running", 37.0, 320, 700, 0),
        "out": m.NodeStatusPart("running", 110.0, 40, 160, 0),
    }
    return m.StatusMessage(nodes=nodes, clients=clients, examples=examples, locked=locked)


def performance(seconds: float, seed: int = 1) -> Iterator[tuple[float, m.Message]]:
    """Yield (instant in seconds, message): a sound every 1.7 s, a pose every 2.5 s, 25 pictures a second."""
    chance = random.Random(seed)
    sound: str | None = None
    began = 0.0
    poses: dict[str, str | None] = {"p1": None, "p2": None}
    seq = 0
    for frame in range(int(seconds * 25)):
        t_s = frame / 25
        if frame % 42 == 10:
            sound, began = SOUNDS[(frame // 42) % 3], t_s
        if sound and frame % 42 == 14:
            seq += 1
            yield t_s, prediction(t_s, seq, sound)
            yield t_s, event("trigger", sound, t_s)
            if sound != "clap":
                yield t_s, event("enter", sound, t_s)
        if sound and frame % 42 == 36:
            if sound != "clap":
                yield t_s, event("leave", sound, t_s, held_s=0.9)
            sound = None
        if sound is None and frame % 12 == 0:
            seq += 1
            yield t_s, prediction(t_s, seq, None)
        if frame % 2 == 0:
            yield t_s, spectrum(t_s, sound, t_s - began, chance)
        for number, subject in enumerate(poses):
            cycle = (frame + 31 * number) % 125
            wanted = "arms up" if 30 <= cycle < 62 else "t pose" if 80 <= cycle < 112 else None
            if wanted != poses[subject]:
                if poses[subject]:
                    yield t_s, event("leave", str(poses[subject]), t_s, subject)
                if wanted:
                    yield t_s, event("enter", wanted, t_s, subject)
                poses[subject] = wanted
            if frame % 5 == number:
                seq += 1
                yield t_s, prediction(t_s, seq, wanted, subject)
            yield (
                t_s,
                m.LandmarksMessage(
                    space="body",
                    subject=subject,
                    t_us=int(t_s * 1e6),
                    points=[
                        [round(v, 4) for v in p]
                        for p in skeleton(t_s, 0.3 + 0.38 * number, wanted, 0.85 - 0.15 * number)
                    ],
                    aspect=4 / 3,
                ),
            )
        if frame % 25 == 0:
            yield t_s, status()


EXPRESSIONS = ("smile", "wow", "wink")
#: Where the named points of a calm face lie: number, and x (to its left) and y in distances
#: between the outer corners of its eyes, from their middle; as measured on a signer's webcam clip.
FACE = {
    10: (0.0, -0.62), 4: (0.0, 0.25), 0: (0.0, 0.45), 13: (0.0, 0.52), 14: (0.0, 0.53),
    17: (0.0, 0.62), 152: (0.0, 1.2), 33: (-0.5, 0.0), 133: (-0.2, -0.02), 159: (-0.36, -0.06),
    145: (-0.36, 0.02), 61: (-0.28, 0.56), 105: (-0.43, -0.29), 234: (-0.76, 0.38), 263: (0.5, 0.0),
    362: (0.2, -0.02), 386: (0.36, -0.06), 374: (0.36, 0.02), 291: (0.28, 0.56),
    334: (0.43, -0.29), 454: (0.76, 0.38),
}  # fmt: skip
UPPER_LIDS, BROWS, CORNERS, LOWER = (159, 386), (105, 334), (61, 291), (14, 17, 152)


def face(t_s: float, x: float, expression: str | None, size: float = 0.16) -> list[list[float]]:
    """Return 468 points of a face at ``x`` (0..1), of which those with a name are seen."""
    points = [[0, 0, 0, 0] for _ in range(468)]  # type: list[list[float]]
    tilt, turn = 0.12 * math.sin(1.1 * t_s + 9 * x), 0.1 * math.sin(0.7 * t_s + 4 * x)
    blink = expression is None and (t_s + x) % 2.4 < 0.2
    for index, (across, down) in FACE.items():
        if expression == "smile" and index in CORNERS:
            across, down = across * 1.25, down - 0.1
        if expression == "wow":
            down += 0.3 if index in LOWER else -0.09 if index in BROWS else 0
            down -= 0.02 if index in UPPER_LIDS else 0
        if (expression == "wink" and index == 386) or (blink and index in UPPER_LIDS):
            down = 0.0
        if expression == "wink" and index == 291:
            down -= 0.1
        across += turn * (1.2 if index == 4 else 0.5 if abs(across) < 0.6 else 0)
        points[index] = [
            round(x + size * (across * math.cos(tilt) - down * math.sin(tilt)), 3),
            round(0.42 + 4 / 3 * size * (down * math.cos(tilt) + across * math.sin(tilt)), 3),
            0,
            1,
        ]
    return points


def faces(seconds: float) -> Iterator[m.Message]:
    """Yield what two people's faces say, ten times a second: the take of the masks."""
    before: dict[str, str | None] = {"f1": None, "f2": None}
    for frame in range(round(seconds * 10)):
        t_s = frame / 10
        for number, subject in enumerate(before):
            shown = (None, *EXPRESSIONS)[(frame + 12 * number) // 14 % 4]
            if number and not 2 < t_s < seconds - 1.5:
                continue
            points = face(t_s, 0.36 + 0.3 * number, shown)
            at_us = round(t_s * 1e6)
            yield m.LandmarksMessage(
                space="face", subject=subject, t_us=at_us, points=points, aspect=4 / 3
            )
            if frame % 3 == number:
                yield msgspec.structs.replace(
                    prediction(t_s, frame, shown, subject),
                    results=results(shown, EXPRESSIONS, 0.93 if shown else 1 / 3),
                    spaces=["face"],
                )
            if shown != before[subject]:
                if before[subject]:
                    yield event("leave", str(before[subject]), t_s, subject)
                if shown:
                    yield event("enter", shown, t_s, subject)
                before[subject] = shown
