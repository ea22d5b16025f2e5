/**
 * What a client knows of the room it sits in, kept current by the room's events.
 *
 * Fields are for reading. `state` is the game's view as the server made it for this player; it is
 * replaced and never changed in place.
 */

import { applyPatch } from "./patch.js";

/**
 * @typedef {object} Player
 * @property {number} playerId
 * @property {string} name
 * @property {"human"|"bot"|"spectator"} kind
 * @property {boolean} connected
 * @property {boolean} ready
 */

const CHAT_LINES_MAX = 200;

export class Room {
  /** @param {object} joined  The `Joined` of the wire. */
  constructor(joined) {
    /** @type {string} */ this.roomId = joined.roomId;
    /** @type {string} */ this.gameType = joined.gameType;
    /** @type {number} */ this.playerId = joined.playerId;
    /** Names one unbroken history of the room. @type {string} */ this.epoch = joined.epoch;
    /** The highest event number seen. @type {number} */ this.seq = joined.seq;
    /** The version of `state`. @type {number} */ this.version = joined.version;
    /** @type {"lobby"|"playing"|"finished"} */ this.phase = joined.phase;
    /** @type {number|null} */ this.host = joined.host;
    /** In order of arrival. @type {Map<number, Player>} */
    this.players = new Map(joined.players.map((player) => [player.playerId, player]));
    /** The game's view. @type {any} */ this.state = joined.state;
    /** @type {Array<{playerId: number, name: string, text: string, at: number}>} */
    this.chat = joined.chat ?? [];
    /** Whether newcomers are refused. Those who join know that it was not so. */ this.locked = false;
    /** The result, once `game_finished` was seen. @type {any} */ this.result = null;
  }

  /** This client's own entry in the roster. @returns {Player|undefined} */
  get me() {
    return this.players.get(this.playerId);
  }

  /** Those who have a seat: everyone but the spectators. @returns {Player[]} */
  get seated() {
    return [...this.players.values()].filter((player) => player.kind !== "spectator");
  }

  /**
   * Takes over one event of the wire. An unknown event changes nothing.
   *
   * @param {string} type
   * @param {any} data
   * @returns {boolean} false when the event builds on a state that is not here, so that the
   *   whole state has to be asked for.
   */
  apply(type, data) {
    switch (type) {
      case "room_state":
        this.replaceState(data);
        break;
      case "room_patch":
        return this.#patch(data);
      case "player_joined":
      case "player_replaced":
        this.players.set(data.playerId, data);
        break;
      case "player_left":
        this.players.delete(data.playerId);
        break;
      case "player_disconnected":
        this.#amend(data.playerId, { connected: false });
        break;
      case "player_reconnected":
        this.#amend(data.playerId, { connected: true });
        break;
      case "player_ready":
        this.#amend(data.playerId, { ready: data.ready });
        break;
      case "host_changed":
        this.host = data.playerId;
        break;
      // The phase comes with the state that belongs to it, which always follows these two.
      case "game_started":
        this.result = null;
        break;
      case "game_finished":
        this.result = data.result;
        break;
      case "room_updated":
        this.locked = data.locked;
        break;
      case "chat_message":
        this.chat = [...this.chat, data].slice(-CHAT_LINES_MAX);
        break;
    }
    return true;
  }

  /** @param {{version: number, phase: Room["phase"], state: any}} whole */
  replaceState({ version, phase, state }) {
    this.version = version;
    this.phase = phase;
    this.state = state;
  }

  #patch({ base, version, ops }) {
    // One that was on its way when the whole state was asked for is part of that.
    if (version <= this.version) return true;
    if (base !== this.version) return false;
    try {
      this.state = applyPatch(this.state, ops);
    } catch {
      return false;
    }
    this.version = version;
    return true;
  }

  #amend(playerId, fields) {
    const player = this.players.get(playerId);
    if (player) this.players.set(playerId, { ...player, ...fields });
  }
}
