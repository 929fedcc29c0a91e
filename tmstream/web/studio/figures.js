// Which landmarks are joined by a line: MediaPipe's 33 points of a body, 21 of a hand, 468 of a face.
const chain = (...points) => points.slice(1).map((point, i) => [points[i], point]);
const ring = (...points) => chain(...points, points[0]);

const BODY = [[11, 12], [11, 13], [13, 15], [12, 14], [14, 16], [11, 23], [12, 24], [23, 24], [23, 25], [25, 27], [24, 26], [26, 28], [27, 31], [28, 32], [0, 11], [0, 12]];
const HAND = [[0, 5], [9, 13], [5, 9], [13, 17], [0, 17], ...[1, 5, 9, 13, 17].flatMap((base) => chain(base, base + 1, base + 2, base + 3)), [0, 1]];
const FACE = [
  ...ring(10, 297, 284, 389, 454, 361, 397, 379, 400, 152, 176, 150, 172, 132, 234, 162, 54, 67), // outline
  ...ring(33, 160, 158, 133, 153, 144), ...ring(263, 387, 385, 362, 380, 373), // eyes
  ...chain(70, 63, 105, 66, 107), ...chain(300, 293, 334, 296, 336), // brows
  ...chain(168, 6, 195, 4), ...chain(98, 2, 327), // nose
  ...ring(61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91), ...ring(78, 82, 13, 312, 308, 317, 14, 87), // lips
];

/** Pairs of points to join. */
export function linesOf(points) {
  return points.length === 21 ? HAND : points.length === 468 ? FACE : BODY;
}

/** How thick: a face has many lines close together. */
export function thicknessOf(points) {
  return points.length === 468 ? 1.5 : 3;
}
