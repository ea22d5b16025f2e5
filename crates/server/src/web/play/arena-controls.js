/**
 * What a player wants: by keys, or by a stick and a button on a touch screen.
 *
 * Something is sent when it is something else than before, and not more often than twenty times a second.
 */

import { h } from "./ui.js";

const SEND_MS_MIN = 50;
/** How far the stick goes, as a part of its size. */
const STICK_REACH = 0.36;
/** Less than this part of the way is no direction. */
const STICK_DEAD = 0.22;
/** A finger is never quite still: directions are this fine. */
const STICK_DIRECTIONS = 32;

const KEYS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
  KeyA: [-1, 0],
  KeyD: [1, 0],
  KeyW: [0, -1],
  KeyS: [0, 1],
};
const DASH = "Space";
const STILL = { dx: 0, dy: 0, dash: false };

/**
 * @param {object} how
 * @param {() => boolean} how.active  Whether this player runs just now.
 * @param {(action: {dx: number, dy: number, dash: boolean}) => void} how.send
 */
export function controls({ active, send }) {
  const pressed = new Set();
  /** @type {[number, number]|null} */ let pulled = null;
  let dashHeld = false;
  /** Pressed and not yet sent, however short it was. */
  let dashDue = false;
  /** What was sent last; null when that may have been forgotten. */
  let sent = STILL;
  let sentAt = 0;
  let timer;

  const knob = h("span", { class: "stick-knob" });
  const stick = h("div", { class: "stick", role: "img", "aria-label": "Stick: pull it where you run" }, knob);
  const dash = h("button", { type: "button", class: "dash" }, "Dash");
  const element = h("div", { class: "pad" }, stick, dash);

  addEventListener("keydown", (event) => press(event, true));
  addEventListener("keyup", (event) => press(event, false));
  addEventListener("blur", release);
  document.addEventListener("visibilitychange", () => document.hidden && release());
  stick.addEventListener("pointerdown", (event) => {
    stick.setPointerCapture(event.pointerId);
    pull(event);
  });
  stick.addEventListener("pointermove", (event) => stick.hasPointerCapture(event.pointerId) && pull(event));
  stick.addEventListener("lostpointercapture", () => place(null));
  dash.addEventListener("pointerdown", () => holdDash(true));
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    dash.addEventListener(end, () => holdDash(false));
  }
  // By keyboard, which has no pointer: a press is a dash.
  dash.addEventListener("click", (event) => event.detail === 0 && (holdDash(true), holdDash(false)));

  function press(event, down) {
    const { code, target } = event;
    if (!(code in KEYS) && code !== DASH) return;
    // What is let go of is let go of, wherever the focus is by then.
    if (down && (!active() || event.ctrlKey || event.metaKey || event.altKey || takesKey(target, code))) return;
    if (down) event.preventDefault();
    if (code === DASH) {
      if (!event.repeat) holdDash(down);
    } else if (down) pressed.add(code);
    else pressed.delete(code);
    tell();
  }

  function holdDash(down) {
    dashHeld = down;
    dashDue ||= down;
    tell();
  }

  function pull(event) {
    const { left, top, width, height } = stick.getBoundingClientRect();
    const reach = width * STICK_REACH;
    const x = (event.clientX - left - width / 2) / reach;
    const y = (event.clientY - top - height / 2) / reach;
    const length = Math.hypot(x, y);
    if (length < STICK_DEAD) {
      place([0, 0]);
      return;
    }
    const turn = (2 * Math.PI) / STICK_DIRECTIONS;
    const angle = Math.round(Math.atan2(y, x) / turn) * turn;
    const far = length < 0.6 ? 0.5 : 1;
    place([far * Math.cos(angle), far * Math.sin(angle)]);
  }

  function place(to) {
    pulled = to;
    const [x, y] = to ?? [0, 0];
    const reach = stick.clientWidth * STICK_REACH;
    knob.style.transform = `translate(${x * reach}px, ${y * reach}px)`;
    tell();
  }

  function release() {
    pressed.clear();
    dashHeld = false;
    place(null);
  }

  /** What is wanted now. */
  function wanted() {
    const keys = [...pressed].map((code) => KEYS[code]);
    const sum = (axis) => Math.sign(keys.reduce((total, key) => total + key[axis], 0));
    const [dx, dy] = pulled ?? [sum(0), sum(1)];
    return { dx: thousandth(dx), dy: thousandth(dy), dash: dashHeld || dashDue };
  }

  /** Sends what is wanted, if that is news and it is time. */
  function tell() {
    clearTimeout(timer);
    if (!active()) return;
    const action = wanted();
    if (sent && sent.dx === action.dx && sent.dy === action.dy && sent.dash === action.dash) return;
    const wait = sentAt + SEND_MS_MIN - performance.now();
    if (wait > 0) {
      timer = setTimeout(tell, wait);
      return;
    }
    sent = action;
    sentAt = performance.now();
    dashDue = false;
    send(action);
    // A dash that was only tapped is to be taken back.
    tell();
  }

  return {
    element,
    dash,
    /** Another round or connection: the server knows nothing of what was sent, and everybody stands still. */
    forget() {
      sent = pressed.size > 0 || pulled ? null : STILL;
      dashDue = false;
      tell();
    },
  };
}

/** Whether what has the focus needs this key for itself. */
function takesKey(target, code) {
  if (!(target instanceof Element)) return false;
  if (target.closest("input, select, textarea")) return true;
  return code === DASH && target.closest("button, a") !== null;
}

const thousandth = (value) => Math.round(value * 1000) / 1000;
