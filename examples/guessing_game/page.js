/**
 * The board of the guessing game: a field for the next guess, and what was said to the earlier ones.
 */

import { openTable } from "/play/table.js";
import { field, h, setText, show } from "/play/ui.js";

const range = h("p", { class: "lead", "aria-live": "polite" });
const number = h("input", { type: "number", name: "number", required: true, min: 1, max: 100, inputmode: "numeric" });
const form = h(
  "form",
  { class: "card", onsubmit: guess },
  field("Your guess", number),
  h("div", { class: "row" }, h("button", { class: "primary", type: "submit" }, "Guess")),
);
const hints = h("ol", { "aria-label": "Guesses so far, the last one first", reversed: true });

const board = document.querySelector("#board");
board.append(range, form, hints);
let table;

openTable({
  gameType: "guessing_game",
  title: "Guess my number",
  summary: "The server thinks of a number from 1 to 100. Whoever hits it first wins.",
  players: [1, 8],
  start: "host",
  board,
  render(view, at) {
    table = at;
    const over = view.winner !== null;
    setText(range, over ? `It was ${view.low}.` : `It is between ${view.low} and ${view.high}.`);
    show(form, !over && !at.watching);
    if (view.low === 1 && view.high === 100) hints.replaceChildren();
  },
  headline(view, at) {
    if (view.winner === null) return { text: "Guess!", mine: !at.watching };
    return view.winner === at.me ? { text: "You win!", mine: true } : { text: `${at.name(view.winner)} wins` };
  },
  onEvent(name, { by, number }, at) {
    hints.prepend(h("li", {}, `${at.who(by)}: ${number}. It is ${name}.`));
  },
});

async function guess(event) {
  event.preventDefault();
  if (await table.act({ number: number.valueAsNumber })) form.reset();
  number.focus();
}
