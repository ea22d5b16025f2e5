/**
 * The field of the arena: who runs where, who is it, the clock, the ranking.
 *
 * How everybody moves between updates is in arena-motion.js, how it looks in arena-field.js, and what
 * a player wants in arena-controls.js.
 */

import { controls } from "./arena-controls.js";
import { fieldPainter, restLeft, tint } from "./arena-field.js";
import { Motion } from "./arena-motion.js";
import { openTable } from "./table.js";
import { h, keyed, setText, show } from "./ui.js";

const HURRY_MS = 10_000;
const STANDINGS_MS = 200;
const PING_MS = 2_000;

/** What this page holds, and where it drew everybody last. */
export const motion = new Motion();
/** @type {import("./arena-motion.js").Places} */
export let drawn = {};

/** @type {import("./table.js").Table|null} */ let table = null;
let view = null;
let wasConnected = true;
let frame = 0;

const still = matchMedia("(prefers-reduced-motion: reduce)");
const board = document.querySelector("#board");
const canvas = h("canvas", { class: "ground", role: "img" });
const clock = h("span", { class: "clock", role: "timer" });
const news = h("span", { class: "news", "aria-live": "polite" });
const ping = h("span", { class: "ping", title: "How long the server takes to answer" });
const pad = controls({ active: runs, send });
const hint = h("p", { class: "hint keys" }, "Run with the arrow keys or W A S D, dash with the space bar.");
const standingsTitle = h("h2", {}, "Time as it");
const standings = h("ol", { class: "standings" });
const painter = fieldPainter(canvas);

board.append(
  h(
    "section",
    { class: "felt arena", "aria-label": "Field" },
    h("div", { class: "arena-top" }, clock, news, ping),
    canvas,
    pad.element,
    hint,
  ),
  h("section", { class: "card ranking" }, standingsTitle, standings),
);

openTable({
  gameType: "arena",
  title: "Arena",
  summary: "Tag, in a field full of walls. Be it for as short a time as you can.",
  players: [2, 16],
  start: "host",
  lateJoin: true,
  bots: [
    ["chaser", "Chaser"],
    ["sprinter", "Sprinter"],
  ],
  options: [
    {
      name: "roundSeconds",
      label: "A round takes",
      value: 90,
      choices: [
        [30, "30 seconds"],
        [60, "1 minute"],
        [90, "1½ minutes"],
        [180, "3 minutes"],
      ],
    },
  ],
  board,
  render,
  headline,
  onEvent,
});

new ResizeObserver(() => painter.fit() && draw()).observe(canvas);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
setInterval(() => document.hidden || renderStandings(), STANDINGS_MS);
setInterval(measure, PING_MS);

function render(newView, at) {
  // Another layout is another round. Updates share what has not changed.
  const isNew = view === null || (view.walls !== newView.walls && String(view.walls) !== String(newView.walls));
  table = at;
  view = newView;
  if (isNew) {
    motion.clear();
    pad.forget();
  }
  // Who begins is told before the first state of a round is.
  if (table.phase === "lobby") setText(news, "");
  motion.add(table.version, view.at, performance.now());
  const playing = table.phase === "playing";
  show(pad.element, playing && !table.watching);
  show(hint, playing && !table.watching);
  show(clock, view.deadline !== null);
  if (!playing) renderStandings();
  if (!document.hidden) refresh();
}

/** Draws what is, once, and goes on with it for as long as somebody may run. */
function refresh() {
  if (view === null || frame !== 0) return;
  renderStandings();
  frame = requestAnimationFrame(animate);
}

function animate() {
  const goesOn = table.phase === "playing" || !motion.isSettled(performance.now());
  frame = goesOn ? requestAnimationFrame(animate) : 0;
  draw();
  const left = restLeft(view.dashAt[table.me], table.serverNow());
  pad.dash.style.setProperty("--rest", left.toFixed(2));
  pad.dash.classList.toggle("resting", left > 0);
  // The server lets one who is away stand still; whoever still holds a key runs on.
  if (table.connected && !wasConnected) pad.forget();
  wasConnected = table.connected;
}

function draw() {
  if (view === null) return;
  drawn = motion.at(performance.now());
  const me = table.watching ? null : table.me;
  const name = (id) => table.name(id);
  painter.draw({ view, places: drawn, me, name, now: table.serverNow(), calm: still.matches });
}

/** While the server cannot be reached nothing is kept for it: a direction of then is of no use later. */
function send(action) {
  if (table.connected) table.ask("game_action", action);
}

/** Whether this player is in the field. */
function runs() {
  return table !== null && table.phase === "playing" && !table.watching;
}

function renderStandings() {
  if (view === null) return;
  const now = table.serverNow();
  const time = (id) => view.itMs[id] + (id === view.it ? Math.max(0, now - view.since) : 0);
  const over = view.ranking.length > 0;
  const ids = over ? view.ranking : Object.keys(view.itMs).map(Number);
  if (!over) ids.sort((one, other) => time(one) - time(other) || one - other);
  const make = (id) => {
    const row = h("li", {}, h("span", { class: "dot" }), h("span", { class: "player-name" }), h("strong"));
    row.firstChild.style.background = tint(id);
    return row;
  };
  const update = (row, id) => {
    const [, name, seconds] = row.children;
    setText(name, table.who(id));
    setText(seconds, `${(time(id) / 1000).toFixed(1)} s`);
    row.classList.toggle("is-it", id === view.it);
    row.classList.toggle("is-me", id === table.me);
  };
  keyed(standings, ids, { key: (id) => id, make, update });
  setText(standingsTitle, over ? "The ranking" : "Time as it");
  renderClock(now);
}

function renderClock(now) {
  if (view.deadline === null) return;
  const left = Math.max(0, view.deadline - now);
  const seconds = Math.ceil(left / 1000);
  setText(clock, `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
  clock.classList.toggle("hurry", left < HURRY_MS);
}

function headline({ ranking: [first], it }, at) {
  if (first !== undefined) {
    return first === at.me
      ? { text: "You come in first!", mine: true }
      : { text: `${at.name(first)} comes in first` };
  }
  if (it === null) return { text: "The round is over" };
  return it === at.me ? { text: "You are it: catch somebody", mine: true } : { text: `${at.name(it)} is it` };
}

function onEvent(name, data, at) {
  if (name === "dashed") painter.dashed(data.player, at.serverNow());
  else if (name === "chosen") setText(news, data.player === at.me ? "You begin" : `${at.name(data.player)} begins`);
  else if (name === "tagged") {
    const tagged = data.player === at.me ? "you" : at.name(data.player);
    setText(news, `${at.who(data.by)} tagged ${tagged}`);
  }
}

async function measure() {
  if (document.hidden || table === null || !table.connected) {
    setText(ping, "");
    return;
  }
  const asked = performance.now();
  const answered = await table.ask("ping");
  setText(ping, answered ? `${Math.round(performance.now() - asked)} ms` : "");
}
