/**
 * What dice are worth at farkle: a hint for the player who chooses. The server decides.
 */

/**
 * The points for keeping exactly these faces; 0 when one of them scores nothing.
 *
 * @param {number[]} faces
 * @returns {number}
 */
export function worth(faces) {
  const counts = tally(faces);
  let sum = 0;
  const straight = STRAIGHTS.find((run) => isIn(run, counts));
  if (straight) {
    for (let face = straight.low; face <= straight.high; face += 1) counts[face] -= 1;
    sum += straight.points;
  }
  for (let face = 1; face <= FACES; face += 1) {
    const points = worthOfKind(face, counts[face]);
    if (counts[face] > 0 && points === 0) return 0;
    sum += points;
  }
  return sum;
}

/** For each die whether it can be part of something that scores. */
export function scoring(faces) {
  const counts = tally(faces);
  const straights = STRAIGHTS.filter((run) => isIn(run, counts));
  return faces.map(
    (face) =>
      worthOfKind(face, 1) > 0 ||
      counts[face] >= OF_A_KIND_MIN ||
      straights.some(({ low, high }) => low <= face && face <= high),
  );
}

function tally(faces) {
  const counts = Array(FACES + 1).fill(0);
  for (const face of faces) counts[face] += 1;
  return counts;
}

function isIn({ low, high }, counts) {
  return counts.slice(low, high + 1).every((count) => count > 0);
}

function worthOfKind(face, count) {
  if (count >= OF_A_KIND_MIN) return (face === 1 ? 1000 : face * 100) * 2 ** (count - OF_A_KIND_MIN);
  return count * (SINGLE[face] ?? 0);
}

const FACES = 6;
const OF_A_KIND_MIN = 3;
const SINGLE = { 1: 100, 5: 50 };
/** The longest first: of two that fit, it is worth more. */
const STRAIGHTS = [
  { low: 1, high: 6, points: 1500 },
  { low: 2, high: 6, points: 750 },
  { low: 1, high: 5, points: 500 },
];
