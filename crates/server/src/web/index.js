/**
 * The front page: which games there are, which tables are open, and the way to a table by its code.
 *
 * Opening a table and playing belong to each game's own page, which knows the game's options.
 */

import { connect } from "/parlor.js";
import { entryForm } from "/play/entry.js";
import { count, h, keyed, setText, show, toast } from "/play/ui.js";
import { CONNECTION, explain } from "/play/messages.js";

const connection = document.querySelector("#connection");
const games = document.querySelector("#games");
const rooms = document.querySelector("#rooms");
const noRooms = document.querySelector("#no-rooms");
const moreRooms = document.querySelector("#more-rooms");
const codeForm = document.querySelector("#code-form");
const code = document.querySelector("#code");
const codeProblem = document.querySelector("#code-problem");
const door = document.querySelector("#door");

const ROOMS_SHOWN_MAX = 20;

/** Game types in the server's order. @type {Map<string, {gameType: string, title: string}>} */
let catalogue = new Map();
/** Rooms that can be joined, by id. @type {Map<string, object>} */
const openRooms = new Map();
let client = open();

codeForm.addEventListener("submit", (event) => {
  event.preventDefault();
  goTo(code.value.trim());
});
// The server closes a connection that was idle for long. Whoever comes back to the page opens another.
for (const name of ["focus", "pointerdown"]) {
  addEventListener(name, live);
}

function live() {
  if (client.status === "closed") client = open();
  return client;
}

function open() {
  const opened = connect();
  opened.on("status", ({ status }) => {
    showConnection(status);
    if (status === "open") watchRooms(opened);
  });
  opened.on("room_list_update", ({ changed, removed }) => {
    for (const roomId of removed) openRooms.delete(roomId);
    for (const room of changed) {
      if (room.joinable) openRooms.set(room.roomId, room);
      else openRooms.delete(room.roomId);
    }
    renderRooms();
  });
  opened.on("snapshot", ({ gameType, roomId }) => location.assign(playPath(gameType, { room: roomId })));
  showConnection("connecting");
  return opened;
}

/** Lists anew what may have changed while there was no connection; subscriptions end with their socket. */
async function watchRooms(from) {
  try {
    const listed = await from.request("list_games");
    catalogue = new Map(listed.games.map((game) => [game.gameType, game]));
    renderGames();
    const lists = await Promise.all(
      [...catalogue.keys()].map((gameType) => from.request("subscribe_rooms", { gameType })),
    );
    openRooms.clear();
    for (const room of lists.flatMap((list) => list.rooms)) openRooms.set(room.roomId, room);
    renderRooms();
  } catch (error) {
    if (error.code !== "CLOSED") toast(explain(error));
  }
}

function showConnection(status) {
  connection.dataset.status = status;
  setText(connection, CONNECTION[status]);
}

function renderGames() {
  const make = ({ gameType, title, minPlayers, maxPlayers, bots }) =>
    h(
      "li",
      { class: "game", "data-game": gameType },
      h("h3", {}, title),
      h("p", {}, players(minPlayers, maxPlayers), bots ? ", or against a bot" : ""),
      h(
        "div",
        { class: "row" },
        h(
          "a",
          { class: "button primary", href: playPath(gameType), "aria-label": `New table of ${title}` },
          "New table",
        ),
        h(
          "a",
          { class: "button", href: playPath(gameType, { quick: 1 }), "aria-label": `Quick game of ${title}` },
          "Quick game",
        ),
      ),
    );
  keyed(games, [...catalogue.values()], { key: (game) => game.gameType, make });
}

function renderRooms() {
  const newestFirst = [...openRooms.values()].sort((a, b) => b.createdAt - a.createdAt);
  const list = newestFirst.slice(0, ROOMS_SHOWN_MAX);
  const make = ({ gameType, roomId }) =>
    h(
      "li",
      { class: "card" },
      h("span", { class: "room-game" }, catalogue.get(gameType)?.title ?? gameType),
      h("span", { class: "lead" }),
      h(
        "a",
        { class: "button", href: playPath(gameType, { room: roomId }), "aria-label": `Join table ${roomId}` },
        "Join",
      ),
    );
  const update = (row, { playerCount, maxPlayers, botCount, hasPassword }) => {
    const seats = `${playerCount} of ${maxPlayers} seats taken`;
    const facts = [seats, botCount > 0 && count(botCount, "bot"), hasPassword && "password"];
    setText(row.children[1], facts.filter(Boolean).join(" · "));
  };
  keyed(rooms, list, { key: (room) => room.roomId, make, update });
  show(noRooms, list.length === 0);
  const hidden = newestFirst.length - list.length;
  show(moreRooms, hidden > 0);
  setText(moreRooms, `and ${count(hidden, "more table")}`);
}

function players(fewest, most) {
  return fewest === most ? count(most, "player") : `${fewest} to ${most} players`;
}

/** A link leads to its page. A bare code does not say which game it is: the table itself does. */
function goTo(invitation) {
  setText(codeProblem, "");
  if (invitation.includes("/")) {
    followLink(invitation);
    return;
  }
  const form = entryForm({
    title: `Table ${invitation.toUpperCase()}`,
    lead: "Tell the others who you are.",
    submitLabel: "Take a seat",
    watchable: true,
    onAnswer: (answer) => live().join({ roomId: invitation, ...answer }),
  });
  door.replaceChildren(form.element);
  form.element.querySelector("input").focus();
}

function followLink(text) {
  // Only the path counts: a server may be known by several names.
  const { pathname, search } = URL.canParse(text, location.href) ? new URL(text, location.href) : location;
  if (pathname.startsWith("/play/")) location.assign(pathname + search);
  else setText(codeProblem, "This link does not lead to a table.");
}

function playPath(gameType, query = {}) {
  const search = new URLSearchParams(query).toString();
  return `/play/${encodeURIComponent(gameType)}${search && `?${search}`}`;
}
