/**
 * What an error code means to somebody who plays.
 */

const TEXTS = {
  ALREADY_IN_ROOM: "You already have a seat at this table.",
  ALREADY_STARTED: "The game has already started.",
  BOTS_NOT_SUPPORTED: "This game has no bots.",
  CLIENT_BUSY: "The connection cannot keep up. Wait a moment and try again.",
  CLOSED: "The connection is closed.",
  DRAINING: "The server is about to restart. Try again in a minute.",
  FORBIDDEN: "You are not welcome at this table.",
  GAME_IN_PROGRESS: "This game is already being played. You can watch it.",
  GAME_NOT_STARTED: "The game has not started yet.",
  GAME_OVER: "This game is over.",
  INTERNAL: "Something went wrong on the server.",
  MESSAGE_TOO_BIG: "That is too long.",
  NOT_A_PLAYER: "You are only watching.",
  NOT_HOST: "Only the host can do that.",
  NOT_READY: "Not everybody is ready yet.",
  NOT_YOUR_TURN: "It is not your turn.",
  RATE_LIMITED: "That was too fast. Wait a moment and try again.",
  ROOM_CLOSED: "This table has closed.",
  ROOM_FULL: "All seats at this table are taken. You can still watch.",
  ROOM_LOCKED: "The host has locked this table.",
  ROOM_NOT_FOUND: "There is no table with this code. It may have closed.",
  ROOM_UNAVAILABLE: "This table cannot be reached just now. Try again in a moment.",
  SERVER_FULL: "The server is full. Try again later.",
  SESSION_INVALID: "Your seat was given up while you were away.",
  SPECTATORS_NOT_ALLOWED: "This table does not take spectators.",
  STORE_UNAVAILABLE: "The server cannot do that just now. Try again in a moment.",
  UNKNOWN_GAME: "This server does not have that game.",
  WRONG_PASSWORD: "That password is wrong. Try again.",
};

/** The states of a client, in words. */
export const CONNECTION = {
  connecting: "Connecting …",
  open: "Connected",
  resuming: "Connection lost, trying again …",
  closed: "Not connected",
};

const FIELDS = {
  playerName: "That name cannot be used. Take 1 to 32 plain characters.",
  password: "That password cannot be used.",
  text: "That message cannot be sent.",
};

/**
 * A sentence for the player. Codes from a game that this list does not know speak for themselves.
 *
 * @param {import("/parlor.js").ParlorError} error
 * @returns {string}
 */
export function explain(error) {
  if (error.code === "VALIDATION_FAILED") {
    const [path] = Object.keys(error.details.fields ?? {});
    return FIELDS[path] ?? "The server did not accept that.";
  }
  if (error.code === "INTERNAL" && error.details.reference) {
    return `${TEXTS.INTERNAL} Its reference is ${error.details.reference}.`;
  }
  return TEXTS[error.code] ?? sentence(error.message);
}

/** "no dice chosen" as "No dice chosen." */
function sentence(fragment) {
  const text = fragment.charAt(0).toUpperCase() + fragment.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
