/**
 * Where a client may find its seat: at the address that it was given, and at one that the server has
 * named since. Connections are not made here.
 */

/** Longer addresses are taken for none. */
const URL_CHARS_MAX = 200;
/** A server that has named so many in vain is not followed any more. */
const GIVEN_UP_MAX = 8;

export class Places {
  /** The one that the client was given. */ #home;
  /** Where it last was at its seat, or is. */ #last;
  /** Whether the next try goes home, although it last was elsewhere. */ #homeIsNext = false;
  /** Where it was sent and did not get to its seat. */ #givenUp = new Set();

  /** @param {string} home */
  constructor(home) {
    this.#home = home;
    this.#last = home;
  }

  /** Where to try. @returns {string} */
  get next() {
    return this.#homeIsNext ? this.#home : this.#last;
  }

  /** There was no getting to the seat from there. A node may be gone for good, and the way home for a while. */
  miss() {
    this.#homeIsNext = !this.#homeIsNext;
  }

  /** The client is at its seat by way of `url`. @param {string} url */
  arrive(url) {
    this.#last = url;
    this.#homeIsNext = false;
  }

  /**
   * The address that the server names, if it is one to go to.
   *
   * @param {any} url
   * @returns {string|null}
   */
  follow(url) {
    if (typeof url !== "string" || url.length > URL_CHARS_MAX) return null;
    // To go on in clear would show the token to everyone on the way.
    const isSecure = ["wss:", "https:"].includes(protocolOf(this.#home, globalThis.location?.href));
    const allowed = isSecure ? ["wss:"] : ["ws:", "wss:"];
    if (!allowed.includes(protocolOf(url)) || url === this.next) return null;
    if (this.#givenUp.has(url) || this.#givenUp.size >= GIVEN_UP_MAX) return null;
    return url;
  }

  /** The client does not go there again because the server says so. @param {string} url */
  giveUp(url) {
    this.#givenUp.add(url);
  }

  /** Gives up a node at which the last try went wrong for good. @returns {boolean} false if that was at home. */
  giveUpNode() {
    if (this.next === this.#home) return false;
    this.giveUp(this.#last);
    this.#last = this.#home;
    return true;
  }

  /** Another seat, another room: what was given up for the last one may do for this. */
  forgive() {
    this.#givenUp.clear();
  }
}

/** Null for what is no address. @param {string} url  @param {string} [base] */
function protocolOf(url, base) {
  try {
    return new URL(url, base).protocol;
  } catch {
    return null;
  }
}
