/**
 * The shell that every game's page shares: the door, the roster, starting, chat, inviting, bots,
 * watching, playing again, the connection and its troubles.
 *
 * A page for a game describes its board and is done:
 *
 *     import { openTable } from "/play/table.js";
 *
 *     openTable({
 *       gameType: "coin",
 *       title: "Coin",
 *       summary: "Guess which way it falls.",
 *       players: [1, 4],
 *       start: "host",
 *       board: document.querySelector("#board"),
 *       render(view, table) { ... table.act({ guess: "heads" }) ... },
 *       headline: (view, table) => ({ text: "Your guess", mine: true }),
 *     });
 *
 * The page has a `<div id="board">` for what is the game's own; the shell moves it to
 * its place and shows it from the first move on. Which rooms exist is the front page's business, how
 * messages travel is that of parlor.js.
 */

import { connect, loadName, loadSession } from "/parlor.js";
import { entryForm } from "./entry.js";
import { CONNECTION, explain } from "./messages.js";
import { chatPanel, lobbyPanel, playersPanel } from "./panels.js";
import { copy, h, setText, show, toast } from "./ui.js";

/**
 * What a page says about its game.
 *
 * @typedef {object} GamePage
 * @property {string} gameType
 * @property {string} title
 * @property {string} summary  One sentence for those who do not know it.
 * @property {[fewest: number, most: number]} players
 * @property {"full"|"host"|"ready"} start  What begins the game: the last seat taken, the host, or everybody being ready.
 * @property {Array<[level: string, words: string]>} [bots]  Levels of the game's bots, the first offered first.
 * @property {import("./entry.js").Option[]} [options]
 * @property {boolean} [lateJoin]  Whether one may sit down, or stop playing, while the game is on.
 * @property {HTMLElement} board
 * @property {(view: any, table: Table) => void} render  Draws the view. Called whenever anything at the table changed.
 * @property {(view: any, table: Table) => {text: string, mine?: boolean}} headline  Whose turn, or who won, in a few words.
 * @property {(view: any, playerId: number) => string|null} [badge]  A word beside a player's name: a mark, a score.
 * @property {(name: string, data: any, table: Table) => void} [onEvent]  The game's own events.
 */

/** @param {GamePage} game */
export function openTable(game) {
  new Table(game).enter();
}

export class Table {
  #game;
  #client;
  /** Everybody who was ever seen at this table, by id. */
  #names = new Map();
  #acting = false;

  // The parts of the page.
  #connection = h("span", { class: "connection", role: "status" });
  #share = h("button", { type: "button", class: "quiet", onclick: () => this.#copyLink() }, "Invite");
  #leave = h("button", { type: "button", class: "quiet", onclick: () => this.#leaveTable() }, "Leave");
  #headline = h("h2", { class: "headline", "aria-live": "polite", tabindex: -1 });
  #again = h(
    "button",
    { type: "button", class: "primary", onclick: () => this.request("rematch") },
    "Play again",
  );
  #next = h("p", { class: "lead" });
  #door = h("div", { class: "door" });
  #stage;
  #side;
  #lobby;
  #players;
  #chat;

  /** @param {GamePage} game */
  constructor(game) {
    this.#game = game;
    this.#lobby = lobbyPanel(game, this);
    this.#players = playersPanel(game, this);
    this.#chat = chatPanel(this);
    this.#build();
    this.#connect();
  }

  // What a game's page may use.

  /** This player's id. */
  get me() {
    return this.#client.room.playerId;
  }

  /** @returns {"lobby"|"playing"|"finished"} */
  get phase() {
    return this.#client.room.phase;
  }

  /** Whether this player only watches. */
  get watching() {
    return this.#client.room.me?.kind === "spectator";
  }

  /** The version of the view. */
  get version() {
    return this.#client.room.version;
  }

  /** Whether the server can be reached just now. */
  get connected() {
    return this.#client.status === "open";
  }

  /** A player's name, also of one who has left. */
  name(playerId) {
    return this.#names.get(playerId) ?? "somebody";
  }

  /** Whether a player has been seen at this table before. */
  knows(playerId) {
    return this.#names.has(playerId);
  }

  /** "You" or the player's name. */
  who(playerId) {
    return playerId === this.me ? "You" : this.name(playerId);
  }

  /** The server's clock, to count down to a deadline in a view. */
  serverNow() {
    return this.#client.serverNow();
  }

  /**
   * Sends an action of the game. A refusal is shown to the player.
   *
   * One at a time: pressing twice before the answer is a slip. A game that streams its actions
   * uses `ask("game_action", ...)`.
   *
   * @returns {Promise<boolean>} whether it was accepted.
   */
  async act(action) {
    if (this.#acting) return false;
    this.#acting = true;
    try {
      return await this.request("game_action", action);
    } finally {
      this.#acting = false;
    }
  }

  /** Sends any request. A refusal is shown to the player. @returns {Promise<boolean>} whether it was accepted. */
  async request(type, data) {
    if (this.#client.status === "resuming") toast(KEPT);
    try {
      await this.#client.request(type, data);
      return true;
    } catch (error) {
      toast(explain(error));
      return false;
    }
  }

  /** As `request`, for what may be refused without a word. @returns {Promise<any>} the result's data, or null. */
  async ask(type, data) {
    try {
      return await this.#client.request(type, data);
    } catch {
      return null;
    }
  }

  // What the shell does.

  /** The link that invites to this table. */
  get link() {
    return new URL(tablePath(this.#client.room), location.href).href;
  }

  /** Goes back to the seat, through the door, or opens a new table: as the address says. */
  enter() {
    const roomId = roomInUrl();
    if (roomId && loadSession(roomId)) {
      setText(this.#headline, "Going back to your seat …");
      return;
    }
    const form = roomId ? this.#joinForm(roomId) : inUrl("quick") ? this.#quickForm() : this.#openForm();
    this.#door.replaceChildren(form.element);
    // With a known name a link leads straight to the table.
    if (loadName() && (roomId || inUrl("quick"))) form.answer();
  }

  #connect() {
    const client = connect({ room: roomInUrl() });
    this.#client = client;
    client.on("status", () => this.#showConnection());
    client.on("snapshot", (room) => this.#arrive(room));
    client.on("change", (room) => room && this.#isOurs(room) && this.#show(room));
    client.on("server_notice", ({ text }) => toast(text));
    client.on("game_event", ({ name, data }) => this.#game.onEvent?.(name, data, this));
    this.#chat.listen(client);
    this.#showConnection();
  }

  /** The client, connected anew where the server has closed it while a form was filled in. */
  #live() {
    if (this.#client.status === "closed") this.#connect();
    return this.#client;
  }

  #joinForm(roomId) {
    return entryForm({
      title: `Join a game of ${this.#game.title}`,
      lead: this.#game.summary,
      submitLabel: "Take a seat",
      watchable: true,
      onAnswer: (answer) => this.#live().join({ roomId, ...answer }),
    });
  }

  #quickForm() {
    return entryForm({
      title: `Play ${this.#game.title}`,
      lead: this.#game.summary,
      submitLabel: "Play",
      onAnswer: (answer) => this.#live().quickMatch({ gameType: this.#game.gameType, ...answer }),
    });
  }

  #openForm() {
    return entryForm({
      title: `A new table of ${this.#game.title}`,
      lead: this.#game.summary,
      submitLabel: "Open the table",
      opens: true,
      options: this.#game.options,
      onAnswer: (answer) => this.#live().create({ gameType: this.#game.gameType, ...answer }),
    });
  }

  #build() {
    const { title, board } = this.#game;
    this.#stage = h(
      "div",
      { class: "stage" },
      this.#headline,
      this.#door,
      this.#lobby.element,
      board,
      this.#again,
      this.#next,
    );
    this.#side = h(
      "aside",
      { class: "side", "aria-label": "Players and chat" },
      this.#players.element,
      this.#chat.element,
    );
    document.body.prepend(
      h(
        "header",
        { class: "bar" },
        h("a", { class: "brand", href: "/" }, "Parlor"),
        h("h1", {}, title),
        this.#connection,
        h("div", { class: "bar-actions" }, this.#share, this.#leave),
      ),
      h("main", { class: "table" }, this.#stage, this.#side),
    );
    this.#hideTable();
  }

  #hideTable() {
    const { board } = this.#game;
    const parts = [this.#share, this.#leave, this.#lobby.element, board, this.#again, this.#next, this.#side];
    for (const part of parts) show(part, false);
  }

  /** A link may name the wrong game, as only the code counts. */
  #isOurs(room) {
    return room.gameType === this.#game.gameType;
  }

  #arrive(room) {
    if (!this.#isOurs(room)) {
      location.replace(tablePath(room));
      return;
    }
    history.replaceState(null, "", tablePath(room));
    const hadFocus = this.#door.contains(document.activeElement);
    this.#door.replaceChildren();
    this.#chat.reset(room);
    if (hadFocus) this.#headline.focus();
  }

  #show(room) {
    for (const player of room.players.values()) this.#names.set(player.playerId, player.name);
    const { board, render, headline } = this.#game;
    const lobby = room.phase === "lobby";
    for (const part of [this.#leave, this.#side]) show(part, true);
    show(this.#share, !lobby);
    show(this.#lobby.element, lobby);
    show(board, !lobby);
    show(this.#again, room.phase === "finished" && room.host === room.playerId);
    show(this.#next, room.phase === "finished" && room.host !== room.playerId);
    setText(this.#next, room.host === null ? "" : `${this.name(room.host)} can begin another game.`);

    const { text, mine = false } = lobby ? this.#lobby.headline(room) : headline(room.state, this);
    setText(this.#headline, text);
    this.#headline.classList.toggle("mine", mine);
    document.title = `${mine ? "● " : ""}${text} – ${this.#game.title}`;

    this.#lobby.render(room);
    this.#players.render(room);
    if (!lobby) render(room.state, this);
  }

  #showConnection() {
    const { status, reason, room } = this.#client;
    this.#connection.dataset.status = status;
    setText(this.#connection, CONNECTION[status]);
    const atTheDoor = room === null && reason?.code === "CLOSED";
    if (status === "closed" && !atTheDoor) this.#showClosed(reason);
  }

  /** For good: the table gives way to what happened and what can be done. */
  #showClosed({ code, message }) {
    const [title, text, action] = CLOSED[code] ?? ["The connection is gone", message, "Try again"];
    setText(this.#headline, "");
    document.title = `${title} – ${this.#game.title}`;
    const again = h("button", { type: "button", class: "primary", onclick: () => location.reload() }, action);
    this.#door.replaceChildren(
      h(
        "div",
        { class: "card entry", role: "alert" },
        h("h2", {}, title),
        h("p", { class: "lead" }, text),
        h("div", { class: "row" }, action && again, h("a", { class: "button", href: "/" }, "To all games")),
      ),
    );
    this.#hideTable();
  }

  async #copyLink() {
    const input = h("input", { value: this.link });
    document.body.append(input);
    const copied = await copy(input);
    input.remove();
    toast(copied ? "The link is copied. Send it to whom you want to play with." : this.link);
  }

  async #leaveTable() {
    const playing = this.phase === "playing" && !this.watching;
    if (playing && !confirm("Leave this game? Your seat will be given up.")) return;
    if (await this.request("leave_room")) location.assign("/");
  }
}

const KEPT = "This is sent as soon as the connection is back.";

/** By reason: title, text, and what the button does, if anything is left to do. */
const CLOSED = {
  TAKEN_OVER: [
    "You play in another window",
    "This seat was opened in another tab or window.",
    "Play here instead",
  ],
  KICKED: ["You were removed", "The host has removed you from this table.", null],
  ROOM_CLOSED: ["This table has closed", "Open a new one, or join another.", null],
  SESSION_INVALID: [
    "Your seat is gone",
    "You were away for too long, and your seat was given up.",
    "Join again",
  ],
  CLOSED: ["Still there?", "Nothing happened for a while, so the connection was closed.", "Go on"],
};

function inUrl(name) {
  return new URLSearchParams(location.search).get(name);
}

function roomInUrl() {
  return inUrl("room")?.toUpperCase();
}

function tablePath({ gameType, roomId }) {
  return `/play/${encodeURIComponent(gameType)}?room=${encodeURIComponent(roomId)}`;
}
