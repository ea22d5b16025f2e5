/**
 * What a browser remembers: the seats of this tab, and the player's name.
 *
 * A seat is kept in sessionStorage, one entry per room: a reload goes on with the game, and
 * another tab is another player. Where storage is switched off everything still works
 * until the page is left.
 */

/**
 * @typedef {object} Session
 * @property {string} token  The secret that holds the seat.
 * @property {string} roomId
 * @property {string} gameType
 * @property {number} playerId
 * @property {number} attempt  The number of the latest attempt to connect.
 * @property {boolean} [locked]  Whether the room was last seen locked, which coming back does not tell.
 */

const SESSION_PREFIX = "parlor.session.";
const NAME_KEY = "parlor.name";

/**
 * The seat that this tab holds in a room.
 *
 * @param {string} roomId
 * @returns {Session|null}
 */
export function loadSession(roomId) {
  const text = attempt(() => sessionStorage.getItem(SESSION_PREFIX + roomId.toUpperCase()));
  return text ? attempt(() => JSON.parse(text)) : null;
}

/** @param {Session} session */
export function saveSession(session) {
  const key = SESSION_PREFIX + session.roomId.toUpperCase();
  attempt(() => sessionStorage.setItem(key, JSON.stringify(session)));
}

/** @param {string} roomId */
export function forgetSession(roomId) {
  attempt(() => sessionStorage.removeItem(SESSION_PREFIX + roomId.toUpperCase()));
}

/** The name that the player used last, or "". */
export function loadName() {
  return attempt(() => localStorage.getItem(NAME_KEY)) ?? "";
}

/** @param {string} name */
export function saveName(name) {
  attempt(() => localStorage.setItem(NAME_KEY, name));
}

/** Storage throws when it is switched off or full, which must not end a game. */
function attempt(access) {
  try {
    return access();
  } catch {
    return null;
  }
}
