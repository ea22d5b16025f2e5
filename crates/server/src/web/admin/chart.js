/**
 * A line chart over time, with axes, and a read-out for pointer and keyboard.
 *
 * It is drawn in the pixels it has, so that its words keep their size on a phone.
 */

import { h, setText, svg } from "/play/ui.js";
import { clock, seconds } from "./format.js";

const HEIGHT = 190;
const EDGE = { left: 58, right: 10, top: 8, bottom: 22 };
const SPAN_MIN_MS = 60_000;
const TIME_STEPS_MS = [15, 30, 60, 120, 300, 600, 900, 1_800].map((step) => step * 1_000);

/**
 * @param {SVGElement} element
 * @param {object} chart
 * @param {string} chart.label  What is seen, for those who hear it.
 * @param {Array<[key: string, name: string]>} chart.series  Which values of a sample are drawn.
 * @param {(value: number|null) => string} chart.format  A value with its unit.
 * @param {(value: number) => string} [chart.axis]  The same on the axis.
 * @param {number} [chart.stepMin]  The least distance between two lines of the grid.
 * @param {(at: number|null) => void} chart.onLook  Somebody looks at a moment, or no longer.
 */
export function chart(element, { label, series, format, axis = format, stepMin = 0, onLook }) {
  const grid = svg("g", { class: "grid" });
  const lines = series.map((_, index) => svg("path", { class: `line series-${index}` }));
  const rule = svg("line", { class: "rule", visibility: "hidden" });
  const dots = series.map((_, index) => svg("circle", { class: `dot series-${index}`, r: 4, visibility: "hidden" }));
  element.append(grid, ...lines, rule, ...dots);
  set(element, { role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": 0 });
  const time = h("span", { class: "time" });
  const values = series.map(([, name], index) => h("span", { class: `value series-${index}` }, name));
  element.parentElement.querySelector(".readout").append(...values, time);

  let samples = [];
  let lookedAt = null;
  // How moments and values become places, as of the last drawing.
  let x = () => 0;
  let y = () => 0;
  let timeAt = () => 0;

  new ResizeObserver(redraw).observe(element);
  element.addEventListener("pointermove", (event) => lookAtPointer(event));
  element.addEventListener("pointerdown", (event) => lookAtPointer(event));
  element.addEventListener("pointerleave", () => onLook(null));
  element.addEventListener("focus", () => lookedAt ?? onLook(samples.at(-1)?.at ?? null));
  element.addEventListener("blur", () => onLook(null));
  element.addEventListener("keydown", (event) => {
    const last = samples.length - 1;
    const index = nearest(lookedAt ?? samples[last]?.at);
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12, Home: -last, End: last }[event.key];
    if (last < 0 || step === undefined) return;
    event.preventDefault();
    onLook(samples[Math.min(last, Math.max(0, index + step))].at);
  });

  function lookAtPointer({ clientX }) {
    const index = nearest(timeAt(clientX - element.getBoundingClientRect().left));
    if (index >= 0) onLook(samples[index].at);
  }

  /** Which sample is the nearest to a moment; -1 if there is none. */
  function nearest(at) {
    const distances = samples.map((sample) => Math.abs(sample.at - at));
    return distances.indexOf(Math.min(...distances));
  }

  function draw(newSamples) {
    const isNews = newSamples.length !== samples.length || newSamples.at(-1)?.at !== samples.at(-1)?.at;
    samples = newSamples;
    if (isNews) redraw();
  }

  function redraw() {
    const width = element.clientWidth;
    if (width === 0 || samples.length === 0) return;
    const to = samples.at(-1).at;
    const from = Math.min(samples[0].at, to - SPAN_MIN_MS);
    const highest = Math.max(...samples.flatMap((sample) => series.map(([key]) => sample[key] ?? 0)));
    const step = Math.max(stepMin, niceStep(highest / 4));
    const top = Math.max(step, Math.ceil(highest / step) * step);
    const [right, floor] = [width - EDGE.right, HEIGHT - EDGE.bottom];
    x = (at) => EDGE.left + ((at - from) / (to - from)) * (right - EDGE.left);
    y = (value) => floor - (value / top) * (floor - EDGE.top);
    timeAt = (place) => from + ((place - EDGE.left) / (right - EDGE.left)) * (to - from);

    const marks = [];
    for (let value = 0; value <= top + step / 2; value += step) {
      marks.push(
        svg("line", { x1: EDGE.left, x2: right, y1: y(value), y2: y(value) }),
        svg("text", { x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, axis(value)),
      );
    }
    const timeStep = TIME_STEPS_MS.find((ms) => (to - from) / ms <= width / 90) ?? TIME_STEPS_MS.at(-1);
    for (let at = Math.ceil(from / timeStep) * timeStep; at <= to; at += timeStep) {
      if (x(at) > right - 16 || x(at) < EDGE.left + 16) continue;
      const words = timeStep < 60_000 ? seconds(at) : clock(at);
      marks.push(
        svg("line", { x1: x(at), x2: x(at), y1: floor, y2: floor + 4 }),
        svg("text", { x: x(at), y: HEIGHT - 4, "text-anchor": "middle" }, words),
      );
    }
    grid.replaceChildren(...marks);
    series.forEach(([key], index) => lines[index].setAttribute("d", path(key)));
    look(lookedAt);
  }

  /** A line that has gaps where there was nothing to measure. */
  function path(key) {
    let pen = "M";
    const parts = samples.map((sample) => {
      if (sample[key] == null) {
        pen = "M";
        return "";
      }
      const part = `${pen}${x(sample.at).toFixed(1)} ${y(sample[key]).toFixed(1)}`;
      // A single point between two gaps is seen as a dot, by the line's round end.
      const dot = pen === "M" ? "h0" : "";
      pen = "L";
      return part + dot;
    });
    return parts.join("");
  }

  /** Reads out the sample at a moment; without one, the newest. */
  function look(at) {
    lookedAt = at;
    const index = at === null ? samples.length - 1 : nearest(at);
    const sample = samples[index];
    if (!sample) return;
    series.forEach(([key, name], nth) => {
      setText(values[nth], `${name} ${format(sample[key])}`);
      const visibility = at === null || sample[key] == null ? "hidden" : "visible";
      set(dots[nth], { visibility, cx: x(sample.at), cy: y(sample[key] ?? 0) });
    });
    setText(time, seconds(sample.at));
    const visibility = at === null ? "hidden" : "visible";
    set(rule, { visibility, x1: x(sample.at), x2: x(sample.at), y1: EDGE.top, y2: HEIGHT - EDGE.bottom });
    const words = [time, ...values].map((part) => part.textContent).join(", ");
    set(element, { "aria-valuemax": samples.length - 1, "aria-valuenow": index, "aria-valuetext": words });
  }

  return { draw, look };
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

/** The round number at or above `value`: 1, 2 or 5 and noughts. */
function niceStep(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((factor) => factor * power >= value) * power;
}
