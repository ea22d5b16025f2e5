/**
 * Numbers and times as an operator reads them.
 */

import { h, keyed, setText } from "/play/ui.js";

const CLOCK = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SECONDS = new Intl.DateTimeFormat([], { timeStyle: "medium", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });
const SHORT = new Intl.NumberFormat([], { notation: "compact", maximumFractionDigits: 1 });
const WHOLE = new Intl.NumberFormat();

export const NONE = "–";

export const whole = (value) => (value == null ? NONE : WHOLE.format(value));
export const short = (value) => SHORT.format(value);
export const clock = (at) => CLOCK.format(at);
export const seconds = (at) => SECONDS.format(at);

/** A time as it is on a clock, and not how long ago: the server's clock and the browser's may differ. */
export function moment(at) {
  const today = DAY.format(at) === DAY.format(Date.now());
  return today ? SECONDS.format(at) : `${DAY.format(at)}, ${CLOCK.format(at)}`;
}

/** Three digits are enough to tell two times apart. */
export function milliseconds(value) {
  if (value == null) return NONE;
  return value >= 1_000 ? `${digits(value / 1_000)} s` : `${digits(value)} ms`;
}

export function rate(value) {
  return value == null ? NONE : `${value < 100 ? digits(value) : WHOLE.format(Math.round(value))}/s`;
}

export function bytes(value) {
  if (value == null) return NONE;
  const unit = Math.min(3, Math.floor(Math.log2(Math.max(value, 1)) / 10));
  return `${digits(value / 1_024 ** unit)} ${["B", "KiB", "MiB", "GiB"][unit]}`;
}

export function duration(ms) {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
}

function digits(value) {
  return String(Number(value.toPrecision(value >= 100 ? Math.ceil(Math.log10(value + 1)) : 3)));
}

/** Shows terms and their values in a `dl`. @param {Array<[term: string, value: string]>} facts */
export function drawFacts(list, facts) {
  keyed(list, facts, {
    key: ([term]) => term,
    make: ([term]) => h("div", {}, h("dt", {}, term), h("dd", {})),
    update: (row, [, value]) => setText(row.children[1], value),
  });
}
