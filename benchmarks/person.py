"""A person painted over the walker's points, so well that MediaPipe finds them; no clip needed."""

from __future__ import annotations

import numpy as np

from tmstream.core.packet import Float32, UInt8

WALL, FLOOR, SHOE = (200, 198, 190), (130, 110, 90), (30, 25, 25)
SKIN, SHADE, HAIR, LIPS, WHITE = (
    (214, 170, 140), (170, 130, 105), (60, 40, 30), (170, 70, 70), (245, 245, 245),
)  # fmt: skip
SHIRT, TROUSERS = (60, 90, 160), (50, 50, 60)

#: Limbs as (points they join, thickness in body heights, colour), from the floor up.
LIMBS = (
    ((23, 25), 0.085, TROUSERS), ((24, 26), 0.085, TROUSERS),
    ((25, 27), 0.065, TROUSERS), ((26, 28), 0.065, TROUSERS),
    ((27, 31), 0.05, SHOE), ((28, 32), 0.05, SHOE),
)  # fmt: skip
ARMS = (
    ((11, 13), 0.06, SHIRT), ((13, 15), 0.045, SKIN), ((15, 19), 0.04, SKIN),
    ((12, 14), 0.06, SHIRT), ((14, 16), 0.045, SKIN), ((16, 20), 0.04, SKIN),
)  # fmt: skip


class Brush:
    """Paints on a picture, in body heights of one person."""

    def __init__(self, board: UInt8, height_px: float) -> None:
        self.board, self.height_px = board, height_px

    def thick(self, share: float) -> int:
        """Return a length in pixels, at least one."""
        return max(1, round(share * self.height_px))

    def line(self, start: Float32, end: Float32, share: float, colour: tuple[int, ...]) -> None:
        """Paint a limb with round ends."""
        import cv2

        ends = tuple(map(round, map(float, start))), tuple(map(round, map(float, end)))
        cv2.line(self.board, *ends, colour, self.thick(share), cv2.LINE_AA)

    def oval(self, centre: Float32, wide: float, high: float, colour: tuple[int, ...]) -> None:
        """Paint a filled ellipse with these half axes."""
        import cv2

        at = tuple(map(round, map(float, centre)))
        cv2.ellipse(
            self.board, at, (self.thick(wide), self.thick(high)), 0, 0, 360, colour, -1, cv2.LINE_AA
        )


def painted(points: Float32, height: int = 480, width: int = 640) -> UInt8:
    """Return an RGB picture (height, width, 3) of somebody at 33 ``points`` (33, 4)."""
    import cv2

    board = np.full((height, width, 3), WALL, np.uint8)
    board[round(0.93 * height) :] = FLOOR
    at = points[:, :2] * [width, height]
    tall = float(np.ptp(at[:, 1]))
    brush = Brush(board, tall)
    for (start, end), share, colour in LIMBS:
        brush.line(at[start], at[end], share, colour)
    edge = np.array([[0.01, -0.02], [-0.01, -0.02], [-0.03, 0.02], [0.03, 0.02]]) * tall
    torso = (at[[11, 12, 24, 23]] + edge).round().astype(np.int32)
    cv2.fillConvexPoly(board, torso, SHIRT, cv2.LINE_AA)
    brush.line(at[[11, 12]].mean(axis=0), at[0], 0.05, SHADE)
    for (start, end), share, colour in ARMS:
        brush.line(at[start], at[end], share, colour)
    _face(brush, at[0])
    return np.asarray(cv2.GaussianBlur(board, (3, 3), 0), np.uint8)


def _face(brush: Brush, nose: Float32) -> None:
    """Paint hair, eyes, brows, nose and mouth: without them nobody is found."""

    def near(x: float, y: float) -> Float32:
        return nose + np.array([x, y], np.float32) * brush.height_px

    brush.oval(near(0, -0.02), 0.052, 0.068, HAIR)
    brush.oval(near(0, 0.003), 0.045, 0.06, SKIN)
    for x in (-0.018, 0.018):
        brush.oval(near(x, -0.012), 0.009, 0.005, WHITE)
        brush.oval(near(x, -0.012), 0.004, 0.004, HAIR)
        brush.line(near(x - 0.012, -0.023), near(x + 0.012, -0.023), 0.004, HAIR)
    brush.line(near(0, -0.005), near(0.004, 0.013), 0.005, SHADE)
    brush.oval(near(0, 0.03), 0.016, 0.005, LIPS)
