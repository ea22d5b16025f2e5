/**
 * The table of farkle: dice, scores, the clock, and the story of the last turns.
 */

import { countdown } from "./clock.js";
import { drawDie, WORDS } from "./dice.js";
import { scoring, worth } from "./farkle-score.js";
import { openTable } from "./table.js";
import { enable, h, isEnabled, keyed, setText, show } from "./ui.js";

const DICE = 6;
const STORY_LINES_MAX = 30;

/** Which of the dice on the table are chosen, by index. */
let chosen = new Set();
/** What the choice was made from; another roll begins another choice. */
let chosenFrom = "";
/** The dice that ended the last turn, to be looked at until somebody rolls again. */
let busted = null;
let lastRoll = [];

const board = document.querySelector("#board");
const points = h("strong", { class: "points" });
const clock = countdown();
const dice = h("div", { class: "dice", role: "group", "aria-label": "Dice on the table" });
const kept = h("div", { class: "kept" });
const hint = h("p", { class: "hint", "aria-live": "polite" });
const roll = h("button", { type: "button" }, "Roll");
const keep = h("button", { type: "button" }, "Keep");
const bank = h("button", { type: "button" }, "Bank");
const controls = h("div", { class: "row controls" }, roll, keep, bank);
const scores = h("ol", { class: "scores" });
const story = h("ul", { class: "story", role: "log", "aria-label": "What happened", tabindex: 0 });

board.append(
  h(
    "section",
    { class: "felt farkle", "aria-label": "Dice" },
    h("div", { class: "felt-top" }, h("span", {}, "This turn ", points), clock.element),
    dice,
    kept,
    hint,
    controls,
  ),
  h(
    "div",
    { class: "ledger" },
    h("section", { class: "card" }, h("h2", {}, "Scores"), scores),
    h("section", { class: "card" }, h("h2", {}, "What happened"), story),
  ),
);

openTable({
  gameType: "farkle",
  title: "Farkle",
  summary: "Roll six dice, keep what scores, and stop before your luck does.",
  players: [2, 6],
  start: "host",
  bots: [
    ["careful", "Careful"],
    ["bold", "Bold"],
  ],
  options: [
    {
      name: "targetScore",
      label: "Play to",
      value: 10_000,
      choices: [
        [2_000, "2,000 points: a few minutes"],
        [5_000, "5,000 points"],
        [10_000, "10,000 points: the full game"],
      ],
    },
    {
      name: "turnSeconds",
      label: "Time for a turn",
      value: 60,
      choices: [
        [30, "30 seconds"],
        [60, "1 minute"],
        [120, "2 minutes"],
      ],
    },
  ],
  board,
  render,
  headline,
  onEvent,
});

function render(view, table) {
  const mine = view.turn === table.me;
  const choosing = mine && (view.stage === "rolled" || view.stage === "kept");
  const from = `${view.turn}:${view.kept.length}:${view.dice.join()}`;
  if (from !== chosenFrom) chosen = new Set();
  chosenFrom = from;

  setText(points, view.turnPoints.toLocaleString());
  renderDice(view, choosing, () => render(view, table));
  renderKept(view.kept);
  renderControls(view, mine, choosing, table);
  renderScores(view, table);
  clock.show(view.deadline, table);
}

function renderDice(view, choosing, redraw) {
  const faces = view.dice.length > 0 ? view.dice : (busted?.dice ?? Array(DICE).fill(0));
  dice.classList.toggle("busted", view.dice.length === 0 && busted !== null);
  const canScore = scoring(faces);
  const make = () => h("button", { type: "button", class: "die-button" });
  const update = (button, face, index) => {
    const counts = choosing && canScore[index];
    button.onclick = () => {
      if (!choosing) return;
      if (!chosen.delete(index)) chosen.add(index);
      redraw();
    };
    enable(button, choosing);
    button.setAttribute("aria-pressed", String(chosen.has(index)));
    button.setAttribute("aria-label", `Die ${index + 1}: ${WORDS[face]}${counts ? ", scores" : ""}`);
    button.classList.toggle("counts", counts);
    if (button.dataset.face !== String(face)) button.replaceChildren(drawDie(face));
    button.dataset.face = face;
  };
  keyed(dice, faces, { key: (face, index) => index, make, update });
}

function renderKept(faces) {
  show(kept, faces.length > 0);
  const words = faces.map((face) => WORDS[face]).join(", ");
  kept.setAttribute("role", "img");
  kept.setAttribute("aria-label", `Kept: ${words}`);
  if (kept.dataset.faces === faces.join()) return;
  kept.dataset.faces = faces.join();
  kept.replaceChildren(h("span", { class: "kept-label" }, "Kept"), ...faces.map(drawDie));
}

function renderControls(view, mine, choosing, table) {
  show(controls, !table.watching && view.winner === null);
  const indices = [...chosen].sort();
  const value = worth(indices.map((index) => view.dice[index]));
  enable(roll, mine && view.stage !== "rolled");
  enable(keep, choosing && value > 0);
  enable(bank, mine && view.stage === "kept");
  setText(roll, mine && view.stage === "kept" ? `Roll ${view.dice.length || DICE}` : "Roll");
  setText(keep, value > 0 ? `Keep +${value.toLocaleString()}` : "Keep");
  setText(bank, mine && view.stage === "kept" ? `Bank ${view.turnPoints.toLocaleString()}` : "Bank");
  // One thing to do next stands out.
  roll.classList.toggle("primary", mine && view.stage !== "rolled" && value === 0);
  keep.classList.toggle("primary", mine && (view.stage === "rolled" || value > 0));
  roll.onclick = () => isEnabled(roll) && table.act({ do: "roll" });
  keep.onclick = () => isEnabled(keep) && table.act({ do: "keep", dice: indices });
  bank.onclick = () => isEnabled(bank) && table.act({ do: "bank" });
  const farkled = busted && `${table.who(busted.playerId)} farkled with this roll.`;
  const next = mine ? advice(view.stage, indices.length, value) : "";
  setText(hint, [view.stage === "ready" && farkled, next].filter(Boolean).join(" "));
}

function advice(stage, picked, value) {
  if (picked > 0) return value > 0 ? "" : "One of these dice scores nothing.";
  if (stage === "ready") return "Roll the dice to begin.";
  if (stage === "rolled") return "Choose at least one die that scores.";
  return "Roll what is left, keep more, or bank your points.";
}

function renderScores(view, table) {
  const make = () =>
    h("li", {}, h("span", { class: "player-name" }), h("strong"), h("progress", { "aria-hidden": "true" }));
  const update = (row, id) => {
    const [name, score, bar] = row.children;
    setText(name, table.who(id));
    setText(score, (view.scores[id] ?? 0).toLocaleString());
    bar.max = view.targetScore;
    bar.value = Math.min(view.scores[id] ?? 0, view.targetScore);
    if (id === view.turn) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  };
  keyed(scores, view.players, { key: (id) => id, make, update });
}

function headline(view, table) {
  if (view.winner !== null) {
    return view.winner === table.me
      ? { text: "You win!", mine: true }
      : { text: `${table.name(view.winner)} wins` };
  }
  if (view.turn === null) return { text: "The game is over" };
  const last = view.finalRound ? ", the last round" : "";
  return view.turn === table.me
    ? { text: `Your turn${last}`, mine: true }
    : { text: `${table.name(view.turn)}’s turn${last}` };
}

function onEvent(name, data, table) {
  const words = STORY[name]?.(data);
  if (!words) return;
  follow(name, data);
  story.prepend(h("li", { class: `story-${name}` }, h("strong", {}, table.who(data.playerId)), ` ${words}`));
  while (story.children.length > STORY_LINES_MAX) story.lastChild.remove();
}

const faces = (dice) => dice.map((face) => "⚀⚁⚂⚃⚄⚅"[face - 1]).join(" ");
const STORY = {
  rolled: (data) => `rolled ${faces(data.dice)}`,
  kept: (data) => `kept ${faces(data.dice)} for ${data.points.toLocaleString()}`,
  banked: (data) => `banked ${data.points.toLocaleString()}, now at ${data.total.toLocaleString()}`,
  busted: (data) => `farkled, ${data.lost.toLocaleString()} points are gone`,
  final_round: () => "reached the target: one more turn for everybody else",
  timed_out: () => "ran out of time",
};

/** The view tells what is; what just happened to the dice is told by events alone. */
function follow(name, data) {
  dice.classList.remove("tumbling");
  if (name === "rolled") {
    lastRoll = data.dice;
    busted = null;
    // Reading the layout in between lets the animation begin anew.
    void dice.offsetWidth;
    dice.classList.add("tumbling");
  } else if (name === "busted") {
    busted = { playerId: data.playerId, dice: lastRoll };
  }
}
