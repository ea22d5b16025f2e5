/**
 * Dice: their drawing and their names.
 */

import { svg } from "./ui.js";

/** The places of pips, in a grid of three by three numbered row by row. */
const PIPS = {
  1: [4],
  2: [2, 6],
  3: [2, 4, 6],
  4: [0, 2, 6, 8],
  5: [0, 2, 4, 6, 8],
  6: [0, 2, 3, 5, 6, 8],
};
export const WORDS = ["blank", "one", "two", "three", "four", "five", "six"];

/** A die showing `face`, or none for 0. */
export function drawDie(face) {
  const pips = (PIPS[face] ?? []).map((place) =>
    svg("circle", { cx: 25 + 25 * (place % 3), cy: 25 + 25 * Math.floor(place / 3), r: 9 }),
  );
  return svg("svg", { viewBox: "0 0 100 100", class: "die", "aria-hidden": "true" }, ...pips);
}
