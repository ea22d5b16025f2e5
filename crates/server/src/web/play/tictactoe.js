/**
 * The board of tic-tac-toe.
 */

import { openTable } from "./table.js";
import { enable, h, isEnabled, keyed, svg } from "./ui.js";

const SIZE = 3;
const SQUARES = Array.from({ length: SIZE * SIZE }, (_, index) => index);
const LINES = [
  [0, 1, 2],
  [3, 4, 5],
  [6, 7, 8],
  [0, 3, 6],
  [1, 4, 7],
  [2, 5, 8],
  [0, 4, 8],
  [2, 4, 6],
];
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -SIZE, ArrowDown: SIZE };

const board = document.querySelector("#board");
const grid = h("div", { class: "felt noughts", role: "group", "aria-label": "Board", onkeydown: walk });
board.append(grid);

openTable({
  gameType: "tictactoe",
  title: "Tic-tac-toe",
  summary: "Three in a row wins. A minute to learn, a minute to play.",
  players: [2, 2],
  start: "full",
  bots: [
    ["easy", "Easy"],
    ["perfect", "Perfect"],
  ],
  board,
  render,
  headline,
  badge: (view, playerId) => view.symbols[playerId],
});

function render(view, table) {
  const marks = view.board.flat();
  const line = LINES.find(([a, b, c]) => marks[a] && marks[a] === marks[b] && marks[a] === marks[c]) ?? [];
  const mine = view.turn === table.me;
  const make = (square) =>
    h("button", { type: "button", class: "square", onclick: () => play(square, table) });
  const update = (button, square) => {
    const mark = marks[square];
    enable(button, mine && mark === "");
    const words = `Row ${Math.floor(square / SIZE) + 1}, column ${(square % SIZE) + 1}: ${mark || "free"}`;
    button.setAttribute("aria-label", words);
    button.classList.toggle("won", line.includes(square));
    if (button.dataset.mark !== mark) button.replaceChildren(...(mark ? [drawing(mark)] : []));
    button.dataset.mark = mark;
  };
  keyed(grid, SQUARES, { key: (square) => square, make, update });
  grid.classList.toggle("open", mine);
}

function headline(view, table) {
  if (view.draw) return { text: "A draw" };
  if (view.winner !== null) {
    return view.winner === table.me
      ? { text: "You win!", mine: true }
      : { text: `${table.name(view.winner)} wins` };
  }
  if (view.turn === null) return { text: "The game is over" };
  return view.turn === table.me
    ? { text: "Your turn", mine: true }
    : { text: `${table.name(view.turn)}’s turn` };
}

function play(square, table) {
  if (!isEnabled(grid.children[square])) return;
  table.act({ row: Math.floor(square / SIZE), col: square % SIZE });
}

/** Arrow keys go from square to square. */
function walk(event) {
  const from = [...grid.children].indexOf(document.activeElement);
  const step = STEPS[event.key];
  if (from < 0 || step === undefined) return;
  event.preventDefault();
  const sideways = Math.abs(step) === 1;
  const to = from + step;
  if (sideways && Math.floor(to / SIZE) !== Math.floor(from / SIZE)) return;
  grid.children[to]?.focus();
}

function drawing(mark) {
  const shape =
    mark === "X"
      ? svg("path", { d: "M24 24 L76 76 M76 24 L24 76", pathLength: 1 })
      : svg("circle", { cx: 50, cy: 50, r: 29, pathLength: 1 });
  return svg(
    "svg",
    { viewBox: "0 0 100 100", class: `mark mark-${mark.toLowerCase()}`, "aria-hidden": "true" },
    shape,
  );
}
