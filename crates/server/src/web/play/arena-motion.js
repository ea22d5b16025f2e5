/**
 * Where everybody is between two updates.
 *
 * Updates come some twenty times a second and a screen is drawn more often, so what is drawn lies a little in
 * the past, between the last updates that have come. When the next one is late, everybody runs on for
 * a moment and then waits.
 */

/** How far in the past is drawn: a little more than the longest time between two updates. */
const BEHIND_MS = 75;
/** How long everybody runs on when nothing comes. */
const AHEAD_MS_MAX = 60;
/** An update that comes later than this after the last: nobody moved in between. */
const GAP_MS = 110;
const STEP_MS = 50;
const SAMPLES_MAX = 32;

/**
 * @typedef {Record<string, [x: number, y: number]>} Places  By player's id.
 */

export class Motion {
  /** The last updates, the newest last. @type {Array<{version: number, time: number, places: Places}>} */
  samples = [];

  /** Forgets everything: another round, or a gap in what is known. */
  clear() {
    this.samples = [];
  }

  /** An update has come at `time`. The places of one that says nothing new are kept by identity. */
  add(version, places, time) {
    const last = this.samples.at(-1);
    if (last?.places === places) {
      last.version = version;
      return;
    }
    if (last && time - last.time > GAP_MS) {
      this.samples.push({ ...last, time: time - STEP_MS });
    }
    this.samples.push({ version, time, places });
    while (this.samples.length > SAMPLES_MAX) this.samples.shift();
  }

  /** Whether everybody is drawn where the newest update has them. */
  isSettled(time) {
    return this.samples.length === 0 || this.samples.at(-1).time + BEHIND_MS <= time;
  }

  /** Where everybody of the newest update was at `time`, which is now. @returns {Places} */
  at(time) {
    const then = time - BEHIND_MS;
    const { samples } = this;
    if (samples.length === 0) return {};
    let next = samples.findIndex((sample) => sample.time > then);
    if (next < 0) next = samples.length - 1;
    const after = samples[next];
    const before = samples[Math.max(0, next - 1)];
    const span = after.time - before.time;
    const passed = Math.min(then, after.time + AHEAD_MS_MAX) - before.time;
    const part = span > 0 ? Math.max(0, passed / span) : 1;
    return between(before.places, after.places, part);
  }
}

/** One who has just come in stands where it came in. */
function between(before, after, part) {
  return Object.fromEntries(
    Object.entries(after).map(([id, [x, y]]) => {
      const [fromX, fromY] = before[id] ?? [x, y];
      return [id, [fromX + (x - fromX) * part, fromY + (y - fromY) * part]];
    }),
  );
}
