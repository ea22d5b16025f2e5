/**
 * The table of liar's dice: cups and bids, the own dice, what a challenge has shown.
 *
 * The server sends nobody's dice but one's own before a challenge; what lies under the other cups is not
 * hidden here, it is not here.
 */

import { countdown } from "./clock.js";
import { drawDie, WORDS } from "./dice.js";
import { openTable } from "./table.js";
import { count, enable, h, isEnabled, keyed, setText, show } from "./ui.js";

const FACES = [1, 2, 3, 4, 5, 6];
const PLURALS = ["", "ones", "twos", "threes", "fours", "fives", "sixes"];
const STORY_LINES_MAX = 40;
/** So long a challenge's outcome stays in the middle of the table, though the bidding goes on. */
const REVEAL_MS = 7_000;

/** What the bid button would bid. */
let choice = { count: 1, face: 2 };
/** What the choice was made for; another bid begins another choice. */
let chosenFor = "";
/** The round whose reveal is being looked at, and the timer that ends that. */
let looking = { round: null, timer: undefined };
/** What was last drawn. */
let drawn = null;

const board = document.querySelector("#board");
const facts = h("span", { class: "facts" });
const clock = countdown();
const seats = h("ol", { class: "seats" });
const middle = h("div", { class: "middle", "aria-live": "polite" });
const own = h("div", { class: "own" });
const hint = h("p", { class: "hint" });
const fewer = h("button", { type: "button", class: "step", "aria-label": "One die fewer" }, "−");
const more = h("button", { type: "button", class: "step", "aria-label": "One die more" }, "+");
const amount = h("output", { class: "amount" });
const faces = h("div", { class: "faces", role: "group", "aria-label": "Face to bid on" });
const bid = h("button", { type: "button" }, "Bid");
const challenge = h("button", { type: "button" }, "Challenge");
const controls = h(
  "div",
  { class: "bidding" },
  h("div", { class: "choice" }, h("div", { class: "stepper" }, fewer, amount, more), faces),
  h("div", { class: "row controls" }, challenge, bid),
);
const bids = h("ol", { class: "bids" });
const lastReveal = h("div", { class: "last-reveal" });
const lastRevealCard = h("section", { class: "card" }, h("h2", {}, "Last challenge"), lastReveal);
const story = h("ul", { class: "story", role: "log", "aria-label": "What happened", tabindex: 0 });

board.append(
  h(
    "section",
    { class: "felt liars-dice", "aria-label": "Table" },
    h("div", { class: "felt-top" }, facts, clock.element),
    seats,
    middle,
    own,
    hint,
    controls,
  ),
  h(
    "div",
    { class: "ledger" },
    h("section", { class: "card" }, h("h2", {}, "Bids of this round"), bids),
    lastRevealCard,
    h("section", { class: "card" }, h("h2", {}, "What happened"), story),
  ),
);

openTable({
  gameType: "liars_dice",
  title: "Liar’s dice",
  summary: "Everybody hides five dice. Bid on all of them together, and catch who bids too high.",
  players: [2, 6],
  start: "host",
  bots: [
    ["honest", "Honest"],
    ["cunning", "Cunning"],
  ],
  options: [
    {
      name: "onesWild",
      label: "Ones",
      value: true,
      choices: [
        [true, "Wild: they count as any face"],
        [false, "A face like any other"],
      ],
    },
    {
      name: "turnSeconds",
      label: "Time for a turn",
      value: 30,
      choices: [
        [15, "15 seconds"],
        [30, "30 seconds"],
        [60, "1 minute"],
      ],
    },
    {
      name: "bankSeconds",
      label: "Reserve of time for the whole game",
      value: 60,
      choices: [
        [0, "None"],
        [60, "1 minute"],
        [180, "3 minutes"],
      ],
    },
  ],
  board,
  render,
  headline,
  badge: (view, id) => (view.diceCounts[id] > 0 ? String(view.diceCounts[id]) : "out"),
  onEvent,
});

function render(view, table) {
  drawn = { view, table };
  const mine = view.turn === table.me;
  const total = Object.values(view.diceCounts).reduce((sum, dice) => sum + dice, 0);
  setText(facts, `Round ${view.round} · ${count(total, "die", "dice")}${view.onesWild ? " · ones are wild" : ""}`);
  clock.show(view.deadline, table, view.bankFrom ?? undefined);
  renderSeats(view, table);
  renderMiddle(view, table);
  renderOwn(view, table);
  renderControls(view, mine, total, table);
  renderBids(view, table);
  if (view.lastReveal && changes(lastReveal, view.lastReveal.round)) {
    lastReveal.replaceChildren(...revealed(view, table));
  }
}

/** Whether `element` is to show something else than it does. Drawing the same again would be read out again. */
function changes(element, what) {
  if (element.dataset.shows === String(what)) return false;
  element.dataset.shows = what;
  return true;
}

/** Cups around the table: how many dice under each, and what was bid last over it. */
function renderSeats(view, table) {
  const lastBids = new Map(view.bids.map((one) => [one.playerId, one]));
  const make = () =>
    h(
      "li",
      {},
      h("span", { class: "player-name" }),
      h("span", { class: "cup", role: "img" }),
      h("span", { class: "spoken" }),
    );
  const update = (row, id) => {
    const [name, cup, spoken] = row.children;
    const dice = view.diceCounts[id];
    setText(name, table.who(id));
    cup.setAttribute("aria-label", dice > 0 ? count(dice, "die", "dice") : "out");
    if (cup.childElementCount !== dice || dice === 0) {
      const hidden = Array.from({ length: dice }, () => h("i", { class: "hidden-die" }));
      cup.replaceChildren(...(dice > 0 ? hidden : ["out"]));
    }
    drawBid(spoken, lastBids.get(id));
    spoken.classList.toggle("highest", view.bid?.playerId === id);
    row.classList.toggle("out", dice === 0);
    if (id === view.turn) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  };
  keyed(seats, view.players, { key: (id) => id, make, update });
}

/** The outcome of a challenge as long as it is news, then the bid to beat. */
function renderMiddle(view, table) {
  const { bid: last, lastReveal: reveal, round, winner } = view;
  const isNews = reveal !== null && (looking.round === reveal.round || winner !== null || last === null);
  const what = isNews ? `reveal ${reveal.round}` : `${round}:${last?.count}:${last?.face}`;
  show(lastRevealCard, reveal !== null && !isNews);
  if (!changes(middle, what)) return;
  middle.classList.toggle("reveal", isNews);
  if (isNews) {
    middle.replaceChildren(...revealed(view, table));
  } else if (last === null) {
    middle.replaceChildren(h("p", { class: "quiet-words" }, "No bid yet"));
  } else {
    const spoken = h("span", { class: "spoken" });
    drawBid(spoken, last);
    middle.replaceChildren(h("p", { class: "quiet-words" }, `${table.who(last.playerId)} bid`), spoken);
  }
}

/** All dice of a round, those that count for the bid set apart. */
function revealed({ lastReveal: reveal, onesWild, players }, table) {
  // Around the table, as above; those who have left since come last.
  const place = ([id]) => (players.includes(Number(id)) ? players.indexOf(Number(id)) : Infinity);
  const shown = Object.entries(reveal.dice).sort((one, other) => place(one) - place(other) || 0);
  const row = ([id, dice]) => {
    const name = table.who(Number(id));
    const faces = dice.map((face) => {
      const die = drawDie(face);
      die.classList.toggle("matches", face === reveal.bid.face || (onesWild && face === 1));
      return die;
    });
    const label = `${name} had ${dice.map((face) => WORDS[face]).join(", ")}`;
    return h(
      "li",
      {},
      h("span", { class: "player-name" }, name),
      h("span", { class: "shown", role: "img", "aria-label": label }, ...faces),
    );
  };
  return [
    h("p", { class: "verdict" }, ...verdict(reveal, table)),
    h("ul", { class: "cups" }, ...shown.map(row)),
  ];
}

function verdict(reveal, table) {
  const { bid: made, challenger, actual, loser } = reveal;
  const whose = made.playerId === table.me ? "your" : `${table.name(made.playerId)}’s`;
  const loses = loser === table.me ? "You lose a die." : `${table.name(loser)} loses a die.`;
  return [
    `${table.who(challenger)} challenged ${whose} bid of ${words(made)}. `,
    h("strong", {}, `There ${actual === 1 ? "is" : "are"} ${actual}.`),
    ` ${loses}`,
  ];
}

function renderOwn(view, table) {
  show(own, view.dice.length > 0);
  if (!changes(own, `${view.round}:${view.dice.join()}`)) return;
  own.setAttribute("role", "img");
  own.setAttribute("aria-label", `Your dice: ${view.dice.map((face) => WORDS[face]).join(", ")}`);
  own.replaceChildren(...view.dice.map((face) => drawDie(face)));
  // Reading the layout in between lets the animation begin anew.
  own.classList.remove("tumbling");
  void own.offsetWidth;
  own.classList.add("tumbling");
}

/** The lowest count that may be bid on `face`. */
function lowest(face, last) {
  if (last === null) return 1;
  return face > last.face ? last.count : last.count + 1;
}

function renderControls(view, mine, total, table) {
  show(controls, !table.watching && view.winner === null && view.dice.length > 0);
  const last = view.bid;
  const forWhat = `${view.round}:${last?.count}:${last?.face}`;
  if (forWhat !== chosenFor) {
    chosenFor = forWhat;
    // What one has most of is most often bid on.
    const face = last?.face ?? mostCommon(view.dice);
    choice = { face, count: lowest(face, last) };
    if (choice.count > total) choice = { face: 6, count: lowest(6, last) };
  }
  const least = lowest(choice.face, last);
  choice.count = Math.max(least, Math.min(choice.count, total));
  const possible = choice.count <= total;

  const change = (next) => {
    choice = { ...choice, ...next };
    renderControls(view, mine, total, table);
  };
  setText(amount, `${choice.count} ×`);
  enable(fewer, possible && choice.count > least);
  enable(more, choice.count < total);
  fewer.onclick = () => isEnabled(fewer) && change({ count: choice.count - 1 });
  more.onclick = () => isEnabled(more) && change({ count: choice.count + 1 });
  keyed(faces, FACES, {
    key: (face) => face,
    make: (face) =>
      h("button", { type: "button", class: "die-button", "aria-label": capital(PLURALS[face]) }, drawDie(face)),
    update: (button, face) => {
      const free = lowest(face, last) <= total;
      enable(button, free);
      button.setAttribute("aria-pressed", String(face === choice.face));
      button.onclick = () => free && change({ face });
    },
  });

  enable(bid, mine && possible);
  enable(challenge, mine && last !== null);
  bid.classList.toggle("primary", mine && possible);
  setText(bid, possible ? `Bid ${words(choice)}` : "Bid");
  setText(challenge, "Challenge");
  bid.onclick = () => isEnabled(bid) && table.act({ do: "bid", count: choice.count, face: choice.face });
  challenge.onclick = () => isEnabled(challenge) && table.act({ do: "challenge" });
  setText(hint, advice(view, mine, possible, table));
}

function advice(view, mine, possible, table) {
  if (view.winner !== null || table.watching) return "";
  if (view.dice.length === 0) return "You are out. The others play on.";
  if (!mine) return "";
  if (view.bid === null) return "You begin: bid on the dice under all cups together.";
  if (!possible) return "There is no higher bid.";
  return `Bid more than ${words(view.bid)}, or challenge.`;
}

function renderBids(view, table) {
  const make = (one) => {
    const spoken = h("span", { class: "spoken" });
    drawBid(spoken, one);
    return h("li", {}, h("span", { class: "player-name" }, table.who(one.playerId)), spoken);
  };
  const newestFirst = [...view.bids].reverse();
  keyed(bids, newestFirst, { key: (one) => `${view.round}:${one.count}:${one.face}`, make });
}

/** A bid as a number and a die, or nothing. */
function drawBid(into, made) {
  if (!changes(into, made ? `${made.count}:${made.face}` : "")) return;
  if (!made) {
    into.replaceChildren();
    return;
  }
  into.replaceChildren(
    h("span", { class: "times", "aria-hidden": "true" }, `${made.count} ×`),
    drawDie(made.face),
    h("span", { class: "aloud" }, words(made)),
  );
}

function headline(view, table) {
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

function onEvent(name, data, table) {
  if (name === "revealed") lookAt(data.round);
  const line = STORY[name]?.(data, table);
  if (!line) return;
  story.prepend(h("li", { class: `story-${name}` }, ...line));
  while (story.children.length > STORY_LINES_MAX) story.lastChild.remove();
}

function lookAt(round) {
  clearTimeout(looking.timer);
  const lookAway = () => {
    looking.round = null;
    if (drawn) renderMiddle(drawn.view, drawn.table);
  };
  looking = { round, timer: setTimeout(lookAway, REVEAL_MS) };
}

const by = (table, id, text) => [h("strong", {}, table.who(id)), ` ${text}`];
const STORY = {
  new_round: (data) => [`Round ${data.round}`],
  bid: (data, table) => by(table, data.playerId, `bid ${words(data)}`),
  challenged: (data, table) =>
    by(table, data.playerId, data.bidderId === table.me ? "challenged you" : `challenged ${table.name(data.bidderId)}`),
  revealed: (data) => [`There ${data.actual === 1 ? "was" : "were"} ${data.actual}, for a bid of ${words(data.bid)}`],
  die_lost: (data, table) => by(table, data.playerId, "lost a die"),
  eliminated: (data, table) => by(table, data.playerId, data.playerId === table.me ? "are out" : "is out"),
  timed_out: (data, table) => by(table, data.playerId, "ran out of time"),
};

/** "3 fives". */
function words({ count: dice, face }) {
  return `${dice} ${dice === 1 ? WORDS[face] : PLURALS[face]}`;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function mostCommon(dice) {
  const frequency = (face) => dice.filter((die) => die === face).length;
  return [6, 5, 4, 3, 2].reduce((best, face) => (frequency(face) > frequency(best) ? face : best), 6);
}
