/**
 * The clock of a turn, counting down to a deadline by the server's time.
 */

import { h, setText, show } from "./ui.js";

const HURRY_MS = 10_000;
const TICK_MS = 250;

/**
 * Makes a clock. `show(deadline, table, reserveFrom)` counts down to `deadline`, or hides it for null. From
 * `reserveFrom` on, what is left is called the reserve; until then it counts down to that.
 */
export function countdown() {
  const element = h("span", { class: "clock", role: "timer" });
  let timer;

  function tick(deadline, table, reserveFrom) {
    clearTimeout(timer);
    show(element, deadline !== null);
    if (deadline === null) return;
    const now = table.serverNow();
    const inReserve = now >= reserveFrom && reserveFrom < deadline;
    const left = Math.max(0, (inReserve ? deadline : Math.min(reserveFrom, deadline)) - now);
    // Rounded, since the clocks differ by some milliseconds: a minute begins at 1:00.
    const seconds = Math.round(left / 1000);
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    setText(element, inReserve ? `Reserve ${time}` : time);
    element.classList.toggle("hurry", inReserve || left < HURRY_MS);
    timer = setTimeout(() => tick(deadline, table, reserveFrom), TICK_MS);
  }

  return {
    element,
    show: (deadline, table, reserveFrom = deadline) => tick(deadline, table, reserveFrom),
  };
}
