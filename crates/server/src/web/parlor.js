/**
 * Parlor's client for browsers. No dependencies, no build step.
 *
 *     import { connect } from "/parlor.js";
 *
 *     const client = connect();
 *     client.on("snapshot", (room) => draw(room.state));   // all of it is new
 *     client.on("state", (state) => draw(state));          // the game moved on
 *     client.on("game_event", ({ name, data }) => tell(name, data));
 *     await client.create({ gameType: "tictactoe", playerName: "Ada" });
 *     await client.act({ row: 1, col: 1 });
 *
 * It owns the socket and the seat. A lost connection comes back by itself, with what was missed
 * and with every unanswered request sent again under its old id, which the server applies
 * once. The seat is kept for this tab, so that `connect({ room: "K7PMW2QX" })` goes on
 * after a reload. What is on the page is not its business.
 *
 * A server with many nodes may name the one that has the room. The client connects there beside its socket and goes
 * over when its seat is found, of which nobody hears; where that fails it stays. The page's Content Security Policy
 * must allow the node (`other_nodes` in the server's settings).
 *
 * The client is always in one of four states, shown by `client.status`:
 *
 *     connecting --> open <--> resuming
 *          \          |          /
 *           `-----> closed <----'       for good; client.reason says why
 *
 * Events, for `client.on`:
 *
 * - `status`: the state above changed; `{status, reason}`.
 * - `snapshot`: the room was replaced as a whole; the {@link Room}. After joining, and after a
 *   gap too long to be replayed.
 * - `state`: the game's view changed; the new view.
 * - `change`: anything about the room changed, those two included; the {@link Room}, or null after leaving.
 * - every event of the wire under its own name, with its data: `game_event`, `chat_message`,
 *   `player_joined`, `game_finished`, `room_list_update`, ... Also those this client does not know.
 */

import { Places } from "./parlor/places.js";
import { Room } from "./parlor/room.js";
import { forgetSession, loadSession, saveSession } from "./parlor/storage.js";

export { loadName, loadSession, saveName } from "./parlor/storage.js";
export { Room };

/** Requests sent and not yet answered. The server remembers the answers to twice as many. */
const UNANSWERED_MAX = 32;
/** Requests waiting behind those, or for the connection. More are refused with `CLIENT_BUSY`. */
const WAITING_MAX = 64;
/** How long a new socket may take to greet, and to answer `reconnect`. */
const GREETING_MS_MAX = 10_000;
/** How long the room's own node may take to greet. Nobody waits for it. */
const NODE_GREETING_MS_MAX = 5_000;
/** How long it may take to answer `reconnect`. */
const NODE_SEAT_MS_MAX = 3_000;
/** How long a `ping` may stay unanswered. */
const PING_MS_MAX = 5_000;
/** The first delay before connecting again; doubled each time up to the longest. */
const DELAY_MS_MIN = 250;
const DELAY_MS_MAX = 10_000;
/** The wait after the server closed for bad frames or too many requests. */
const PENALTY_MS = 10_000;
/** A connection that lived this long starts the delays from the beginning. */
const STABLE_MS = 5_000;

/** Close codes that end it, and the reason they give. Every other code is followed by another try. */
const FINAL_CLOSE = new Map([
  [1000, { code: "CLOSED", message: "the server closed the connection" }],
  [1002, { code: "PROTOCOL", message: "the server could not follow this client" }],
  [1003, { code: "PROTOCOL", message: "the server could not follow this client" }],
  [1007, { code: "PROTOCOL", message: "the server could not follow this client" }],
  [4001, { code: "TAKEN_OVER", message: "the seat is used in another window" }],
  [4003, { code: "KICKED", message: "removed from the room by its host" }],
  [4004, { code: "ROOM_CLOSED", message: "the room has closed" }],
]);
const TAKEN_OVER = 4001;
const PENALTY_CLOSE = new Set([4400, 4429]);
const JOINING = new Set(["create_room", "join_room", "quick_match"]);

/** A refused request, or one that can no longer be answered. */
export class ParlorError extends Error {
  /** @param {{code: string, message: string, retryable?: boolean, details?: object}} detail */
  constructor({ code, message, retryable = false, details = {} }) {
    super(message);
    this.name = "ParlorError";
    /** What happened, for programs: `WRONG_PASSWORD`, `NOT_YOUR_TURN`, ... */
    this.code = code;
    /** Whether the same request may succeed later, unchanged. */
    this.retryable = retryable;
    /** More about it, by code: `fields`, `retryAfterMs`, `reference`, ... */
    this.details = details;
  }
}

/**
 * Starts to connect. Requests may be made at once; they wait for the connection.
 *
 * @param {object} [options]
 * @param {string} [options.url]  The server's socket. By default `/ws` where the page came from.
 * @param {string} [options.room]  Goes on with the seat this tab holds in that room, if it holds one.
 * @param {string} [options.accessToken]  Who the player is, as an account service says it.
 * @returns {Client}
 */
export function connect({ url = socketUrl(), room, accessToken } = {}) {
  return new Client(url, room ? loadSession(room) : null, accessToken);
}

/** @hideconstructor Made by {@link connect}. */
export class Client extends EventTarget {
  /** @type {"connecting"|"open"|"resuming"|"closed"} */ status = "connecting";
  /** Why it closed. @type {{code: string, message: string}|null} */ reason = null;
  /** The room this client sits in, as far as it is known. @type {Room|null} */ room = null;
  /** The server's limits, once it has greeted. @type {{maxMessageBytes: number}|null} */ limits = null;

  /** @type {Places} */ #places;
  #protocols = ["parlor.v1.json"];
  /** @type {import("./parlor/storage.js").Session|null} */ #session;
  /** @type {WebSocket|null} */ #socket = null;
  /** Sent and unanswered, by id, in the order of sending. */ #unanswered = new Map();
  #waiting = [];
  #nextId = 1;
  #tries = 0;
  #openedAt = 0;
  #delayAtLeast = 0;
  #retryTimer;
  #silenceTimer;
  #heartbeatMs = 20_000;
  #heardAt = 0;
  #clockOffset = 0;
  #resyncing = false;
  /** The socket to the room's own node, on its way to the seat. @type {Move|null} */ #move = null;
  /** Whether the server may have given the seat to such a socket after it was given up. */ #isOwnRival = false;
  /** Whether listings are told to the present socket. */ #isSubscribed = false;
  #onOffline = () => this.#networkGone();
  #onOnline = () => this.#networkBack();

  constructor(url, session, accessToken) {
    super();
    this.#places = new Places(url);
    // A browser can send it in no other place: not in a header, and never in the address, which is logged.
    if (accessToken) this.#protocols.push("access_token", accessToken);
    this.#session = session;
    globalThis.addEventListener?.("offline", this.#onOffline);
    globalThis.addEventListener?.("online", this.#onOnline);
    this.#open();
  }

  /**
   * Calls `listener` with the data of every event of that name.
   *
   * @param {string} name
   * @param {(data: any) => void} listener
   * @returns {() => void} ends it.
   */
  on(name, listener) {
    const call = (event) => listener(event.detail);
    this.addEventListener(name, call);
    return () => this.removeEventListener(name, call);
  }

  /**
   * Sends one request. Resolves with the data of its result, however often the connection is
   * lost on the way.
   *
   * @param {string} type
   * @param {object} [data]
   * @returns {Promise<any>}
   * @throws {ParlorError} the server's refusal, or `CLOSED`, `CLIENT_BUSY` or `MESSAGE_TOO_BIG` from here.
   */
  request(type, data = {}) {
    if (this.status === "closed") return Promise.reject(new ParlorError(this.#closedDetail()));
    if (this.#waiting.length >= WAITING_MAX) {
      const message = "too many requests are waiting";
      return Promise.reject(new ParlorError({ code: "CLIENT_BUSY", message, retryable: true }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ type, data, resolve, reject });
      this.#pump();
    });
  }

  /** Opens a room and sits down in it. @param {{gameType: string, playerName: string}} data  As `create_room`. */
  create(data) {
    return this.request("create_room", { ...data, key: randomKey() });
  }

  /** Sits down in a room. @param {{roomId: string, playerName: string}} data  As `join_room`. */
  join(data) {
    return this.request("join_room", { ...data, key: randomKey() });
  }

  /** Sits down in some open room, or a new one. @param {{gameType: string, playerName: string}} data  As `quick_match`. */
  quickMatch(data) {
    return this.request("quick_match", { ...data, key: randomKey() });
  }

  /** Sends one of the game's actions. */
  act(action) {
    return this.request("game_action", action);
  }

  /** Gives up the seat. The client stays open and may join another room. */
  leave() {
    return this.request("leave_room");
  }

  /** The server's clock, in milliseconds since 1970. */
  serverNow() {
    return Date.now() + this.#clockOffset;
  }

  /** Closes for good. The seat stays until its time of grace is over. */
  close() {
    this.#socket?.close(1000);
    this.#finish({ code: "CLOSED", message: "closed by this page" });
  }

  // The connection.

  #open() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#isOwnRival = false;
    this.#isSubscribed = false;
    this.#use(new WebSocket(this.#places.next, this.#protocols));
    this.#silenceTimer = setTimeout(() => this.#drop(), GREETING_MS_MAX);
  }

  #use(socket) {
    this.#socket = socket;
    // A socket that was given up may still have things to say.
    const current = (handle) => (event) => {
      if (this.#socket === socket) handle(event);
    };
    socket.onmessage = current((event) => this.#receive(event.data));
    socket.onclose = current((event) => this.#closed(event.code));
    socket.onerror = null; // it closes as well
  }

  #closed(code) {
    // The seat may be taken over by the client's own move, which its answer tells.
    if (this.#move?.isAsking) this.#move.closedWith = code;
    else this.#lost(code);
  }

  /** Gives the socket up without waiting for its closing handshake, which a dead network never ends. */
  #drop() {
    const socket = this.#socket;
    this.#lost(1006);
    socket?.close();
  }

  #lost(code) {
    this.#socket = null;
    this.#endMove();
    clearTimeout(this.#silenceTimer);
    const final = FINAL_CLOSE.get(code);
    if (final && !(code === TAKEN_OVER && this.#isOwnRival)) {
      this.#finish(final);
      return;
    }
    if (!this.#openedAt) this.#places.miss();
    if (this.#openedAt && Date.now() - this.#openedAt > STABLE_MS) this.#tries = 0;
    this.#openedAt = 0;
    if (PENALTY_CLOSE.has(code)) this.#delayAtLeast = Math.max(this.#delayAtLeast, PENALTY_MS);

    const longest = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** this.#tries);
    // Jitter: after a restart of the server all its clients come back at once.
    const delay = Math.max(this.#delayAtLeast, longest * (0.5 + Math.random() / 2));
    this.#tries += 1;
    this.#retryTimer = setTimeout(() => this.#open(), delay);
    if (this.status === "open") this.#setStatus("resuming");
  }

  /**
   * The browser says that there is no network. A socket does not notice for a long time, so it is given up.
   * The tries go on all the same: a server on this very machine can still be reached.
   */
  #networkGone() {
    if (this.#socket) this.#drop();
  }

  /** A try begun without a network may hang long after it is back, so another takes its place. */
  #networkBack() {
    this.#tries = 0;
    if (this.status === "open" || this.#delayAtLeast > 0) return;
    const late = this.#socket;
    clearTimeout(this.#silenceTimer);
    this.#open();
    late?.close();
  }

  #finish(reason) {
    if (this.status === "closed") return;
    this.#socket = null;
    this.#endMove();
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#silenceTimer);
    globalThis.removeEventListener?.("offline", this.#onOffline);
    globalThis.removeEventListener?.("online", this.#onOnline);
    this.reason = reason;
    if (this.#session && ["KICKED", "ROOM_CLOSED", "SESSION_INVALID"].includes(reason.code)) {
      forgetSession(this.#session.roomId);
    }
    const abandoned = [...this.#unanswered.values(), ...this.#waiting];
    this.#unanswered.clear();
    this.#waiting = [];
    for (const request of abandoned) request.reject(new ParlorError(this.#closedDetail()));
    this.#setStatus("closed");
  }

  #closedDetail() {
    return { code: "CLOSED", message: this.reason.message, details: { reason: this.reason.code } };
  }

  #setStatus(status) {
    this.status = status;
    this.#tell("status", { status, reason: this.reason });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Browsers do not show a socket's pings, so silence is answered with one of our own. */
  #watchSilence() {
    clearTimeout(this.#silenceTimer);
    const silence = Date.now() - this.#heardAt;
    if (silence < this.#heartbeatMs) {
      this.#silenceTimer = setTimeout(() => this.#watchSilence(), this.#heartbeatMs - silence);
      return;
    }
    const askedAt = Date.now();
    this.#socket.send('{"type":"ping"}');
    this.#silenceTimer = setTimeout(() => {
      if (this.#heardAt < askedAt) this.#drop();
      else this.#watchSilence();
    }, PING_MS_MAX);
  }

  // The way to the room's own node, while the present socket goes on.

  /**
   * @typedef {object} Move
   * @property {string} url
   * @property {WebSocket} socket
   * @property {number} timer
   * @property {boolean} isAsking  Whether it has asked for the seat and was not answered.
   * @property {object|null} welcome  What the node greeted with, and when.
   * @property {number|null} closedWith  The code with which the present socket was closed meanwhile.
   */

  /** Sets out to the room's own node, if the server has named it. @param {string|undefined} named */
  #moveTo(named) {
    const url = this.#places.follow(named);
    // Listings are told to a socket and not to a seat, so they would end.
    if (!url || this.#isSubscribed) return;
    let socket;
    try {
      socket = new WebSocket(url, this.#protocols);
    } catch {
      // No address after all, or in clear on a page that is not.
      this.#places.giveUp(url);
      return;
    }
    const move = { url, socket, timer: undefined, isAsking: false, welcome: null, closedWith: null };
    this.#endMove();
    this.#move = move;
    const current = (handle) => (event) => {
      if (this.#move === move) handle(event);
    };
    socket.onmessage = current((event) => this.#moving(JSON.parse(event.data)));
    socket.onclose = current(() => this.#stay());
    // Chromium never closes one that the page's policy forbids.
    socket.onerror = socket.onclose;
    move.timer = setTimeout(() => this.#stay(), NODE_GREETING_MS_MAX);
  }

  /** Takes in what the node says before the seat is there. */
  #moving({ type, success, data }) {
    const move = this.#move;
    if (type === "welcome") {
      if (this.#isSubscribed) {
        this.#endMove();
        return;
      }
      move.welcome = { ...data, at: Date.now() };
      move.isAsking = true;
      clearTimeout(move.timer);
      move.timer = setTimeout(() => this.#stay(), NODE_SEAT_MS_MAX);
      this.#askForSeat(move.socket);
    } else if (type === "reconnect_result") {
      move.isAsking = false;
      if (success) this.#arrive(data);
      else this.#stay();
    }
  }

  /** The seat is there. What the present socket has told since it was asked for is told again, and known by its number. */
  #arrive(data) {
    const { url, socket, timer, welcome } = this.#move;
    clearTimeout(timer);
    this.#move = null;
    const late = this.#socket;
    this.#places.arrive(url);
    this.#use(socket);
    this.#greeted(welcome);
    this.#heardAt = Date.now();
    // Were a `url` of this answer followed, two nodes could send the client to and fro.
    this.#resume(data);
    late.close();
  }

  /** Gives up the move and goes on over the socket that there is, if it has not been closed meanwhile. */
  #stay() {
    const { url, isAsking, closedWith } = this.#move;
    // No answer, but perhaps the seat. Then being taken over is a loss like any other.
    if (isAsking) this.#isOwnRival = true;
    this.#places.giveUp(url);
    this.#endMove();
    if (closedWith !== null) this.#lost(closedWith);
  }

  #endMove() {
    if (!this.#move) return;
    const { socket, timer } = this.#move;
    this.#move = null;
    clearTimeout(timer);
    socket.close();
  }

  // What arrives.

  #receive(text) {
    const message = JSON.parse(text);
    this.#heardAt = Date.now();
    const { type, data } = message;
    if (type === "error") this.#unreadable(message.error);
    else if (type === "reconnect_result") this.#resumed(message);
    else if (typeof message.success === "boolean") this.#answered(message);
    else if (type === "welcome") this.#welcomed(data);
    else this.#happened(type, message.seq, data);
  }

  #welcomed(data) {
    this.#greeted({ ...data, at: Date.now() });
    if (this.#session) this.#askForSeat(this.#socket);
    else this.#ready();
  }

  #greeted({ heartbeatMs, limits, serverTime, at }) {
    this.#heartbeatMs = heartbeatMs;
    this.#clockOffset = serverTime - at;
    this.limits = limits;
  }

  #askForSeat(socket) {
    const session = this.#session;
    // Rising by the clock, so that the window opened last holds the seat, whichever tried more often.
    session.attempt = Math.max(session.attempt + 1, Date.now());
    saveSession(session);
    // Without a room there is no state to build on, and the server sends all of it.
    const known = this.room ? { epoch: this.room.epoch, lastSeq: this.room.seq } : {};
    const data = { sessionToken: session.token, attempt: session.attempt, ...known };
    socket.send(JSON.stringify({ type: "reconnect", data }));
  }

  #resumed({ success, data, error }) {
    const isGone = error?.code === "SESSION_INVALID" || error?.code === "ROOM_CLOSED";
    if (success) {
      this.#resume(data);
      this.#moveTo(data.url);
    } else if (error.retryable) {
      this.#delayAtLeast = error.details?.retryAfterMs ?? 0;
      this.#drop();
    } else if (isGone && this.#places.giveUpNode()) {
      // Another server may have that address by now, so it has not the last word.
      this.#drop();
    } else if (isGone && this.#hasLeft()) {
      this.#ready();
    } else {
      const socket = this.#socket;
      const code = error.code === "STALE_REQUEST" ? "TAKEN_OVER" : error.code;
      this.#finish({ code, message: error.message });
      socket.close(1000);
    }
  }

  #resume(data) {
    if (data.resumed === "snapshot") this.#seat(data);
    this.#ready();
  }

  /** Whether the seat is gone because it was left, and only the answer was lost. Then that has succeeded. */
  #hasLeft() {
    const leaving = [...this.#unanswered].find(([, request]) => request.type === "leave_room");
    if (!leaving) return false;
    this.#answered({ type: "leave_room_result", id: leaving[0], success: true, data: {} });
    return true;
  }

  #ready() {
    this.#openedAt = Date.now();
    this.#places.arrive(this.#places.next);
    this.#delayAtLeast = 0;
    this.#resyncing = false;
    this.#watchSilence();
    for (const { text } of this.#unanswered.values()) this.#socket.send(text);
    // Who has moved was open all along.
    if (this.status !== "open") this.#setStatus("open");
    this.#pump();
  }

  #answered({ type, id, success, data, error }) {
    if (type === "ping_result" && success) this.#clockOffset = data.serverTime - Date.now();
    const request = this.#unanswered.get(id);
    if (!request) return;
    this.#unanswered.delete(id);
    if (success) {
      this.#settle(request, data);
      request.resolve(data);
    } else {
      request.reject(new ParlorError(error));
    }
    this.#pump();
  }

  /** Requests are answered in order, so what the server could not read is the oldest. */
  #unreadable(error) {
    const [id] = this.#unanswered.keys();
    if (id !== undefined) this.#answered({ type: "error", id, success: false, error });
  }

  /** What an accepted request means for this client itself, before its caller hears of it. */
  #settle({ type }, data) {
    if (JOINING.has(type)) {
      this.#session = {
        token: data.sessionToken,
        roomId: data.roomId,
        gameType: data.gameType,
        playerId: data.playerId,
        attempt: 0,
      };
      saveSession(this.#session);
      this.#seat(data);
      this.#places.forgive();
      this.#moveTo(data.url);
    } else if (type === "subscribe_rooms") {
      this.#isSubscribed = true;
    } else if (type === "leave_room" && this.room) {
      this.#endMove();
      forgetSession(this.room.roomId);
      this.#session = null;
      this.room = null;
      this.#tell("change", null);
    } else if (type === "get_state" && this.room) {
      this.room.replaceState(data);
      this.#tell("state", this.room.state);
      this.#tell("change", this.room);
    }
  }

  #seat(joined) {
    this.#nextId = Math.max(this.#nextId, joined.lastId + 1);
    this.room = new Room(joined);
    this.room.locked = this.#session.locked ?? false;
    this.#tell("snapshot", this.room);
    this.#tell("change", this.room);
  }

  #happened(type, seq, data) {
    if (type === "server_draining") this.#delayAtLeast = data.reconnectAfterMs;
    const room = this.room;
    if (!room || seq === undefined) {
      this.#tell(type, data);
      return;
    }
    if (seq <= room.seq) return; // seen before the connection was lost
    room.seq = seq;
    const applied = room.apply(type, data);
    if (!applied) this.#resync();
    if (type === "room_updated") saveSession(Object.assign(this.#session, { locked: room.locked }));
    this.#tell(type, data);
    if (applied && (type === "room_state" || type === "room_patch")) this.#tell("state", room.state);
    this.#tell("change", room);
  }

  /** Asks for the whole state: a patch came that builds on another. */
  async #resync() {
    if (this.#resyncing) return;
    this.#resyncing = true;
    try {
      await this.request("get_state");
    } catch {
      // The next patch will not fit either, and asks again.
    } finally {
      this.#resyncing = false;
    }
  }

  // What is sent.

  #pump() {
    while (this.status === "open" && this.#unanswered.size < UNANSWERED_MAX && this.#waiting.length > 0) {
      const request = this.#waiting.shift();
      const id = this.#nextId;
      request.text = JSON.stringify({ type: request.type, id, data: request.data });
      if (new TextEncoder().encode(request.text).length > this.limits.maxMessageBytes) {
        request.reject(new ParlorError({ code: "MESSAGE_TOO_BIG", message: "the message is too long" }));
        continue;
      }
      this.#nextId += 1;
      this.#unanswered.set(id, request);
      this.#socket.send(request.text);
    }
  }
}

function socketUrl() {
  const url = new URL("/ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** Makes a joining request safe to send twice. Not `randomUUID`, which plain http does not have. */
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
