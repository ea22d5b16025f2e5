/**
 * Asking the server, and what its refusals mean to an operator.
 */

import { count } from "/play/ui.js";

/** No answer within this time is none: a server that hangs is one that cannot be reached. */
const ANSWER_MS = 8_000;

/** A refusal, or that there was no answer at all. */
export class ApiError extends Error {
  constructor(code, message, details = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

let loggedOut = () => {};

/** Calls `listener` whenever an answer says that this browser is not, or no longer, logged in. */
export function onLoggedOut(listener) {
  loggedOut = listener;
}

/** @param {Record<string, unknown>} [query]  What is undefined or empty is left out. */
export function get(path, query = {}, signal) {
  const given = Object.entries(query).filter(([, value]) => value != null && value !== "");
  const search = new URLSearchParams(given).toString();
  return call(search ? `${path}?${search}` : path, { signal });
}

export function post(path, body = {}) {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

async function call(path, { signal, ...request }) {
  const late = AbortSignal.timeout(ANSWER_MS);
  let response;
  let text;
  try {
    response = await fetch(path, { ...request, signal: signal ? AbortSignal.any([signal, late]) : late });
    text = await response.text();
  } catch {
    // Given up by the page itself: nobody waits for it.
    signal?.throwIfAborted();
    throw unreachable();
  }
  signal?.throwIfAborted();
  const answer = parse(text);
  if (response.ok && answer !== undefined) return answer;
  if (!answer?.error) throw unreachable();
  const { code, message, details } = answer.error;
  if (response.status === 401 && path.startsWith("/admin/api/")) loggedOut();
  throw new ApiError(code, message, details);
}

/** What is no JSON comes from something in between, which has not reached the server either. */
function parse(text) {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreachable() {
  return new ApiError("UNREACHABLE", "no answer");
}

const TEXTS = {
  INTERNAL: "Something went wrong on the server.",
  ROOM_NOT_FOUND: "This room has closed.",
  UNAUTHORIZED: "Log in first.",
  UNREACHABLE: "The server cannot be reached. Try again in a moment.",
};

/** @param {ApiError} error @returns {string} a sentence. */
export function explain(error) {
  const { code, message, details } = error;
  if (code === "RATE_LIMITED") {
    const seconds = Math.max(1, Math.ceil((details?.retryAfterMs ?? 1_000) / 1_000));
    return `That was tried too often. Try again in ${count(seconds, "second")}.`;
  }
  if (code === "INTERNAL" && details?.reference) {
    return `${TEXTS.INTERNAL} Its reference is ${details.reference}.`;
  }
  const text = TEXTS[code] ?? message;
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(sentence) ? sentence : `${sentence}.`;
}
