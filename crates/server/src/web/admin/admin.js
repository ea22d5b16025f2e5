/**
 * The operators' page: logging in, which view is seen, and keeping it up to date.
 *
 * The address says which view: `#rooms`, `#room/K7RM2XAD`. A view loads what it shows and draws it;
 * when it loads, and what is said when that fails, is decided here and nowhere else.
 *
 * @typedef {object} View
 * @property {HTMLElement} section
 * @property {string} nav  Which link of the navigation leads to it, or near it.
 * @property {(id: string) => void} [open]  What of the kind is to be seen.
 * @property {(signal: AbortSignal) => Promise<void>} load  Loads and draws, unless it is given up meanwhile.
 */

import { setText, show } from "/play/ui.js";
import { askNoMore, attempt } from "./act.js";
import { actionsView } from "./actions.js";
import { explain, onLoggedOut, post } from "./api.js";
import { connectionsView } from "./connections.js";
import { seconds } from "./format.js";
import { overviewView } from "./overview.js";
import { roomView } from "./room.js";
import { roomsView } from "./rooms.js";

const POLL_MS = 2_000;

const status = document.querySelector("#status");
const nav = document.querySelector("nav");
const logout = document.querySelector("#logout");
const login = document.querySelector("#login");
const token = document.querySelector("#token");
const loginProblem = document.querySelector("#login-problem");
const problem = document.querySelector("#problem");

/** @type {Record<string, View>} */
const VIEWS = {
  overview: overviewView(),
  rooms: roomsView(refresh),
  room: roomView(refresh),
  connections: connectionsView(refresh),
  actions: actionsView(refresh),
};
let view = VIEWS.overview;

/** The loading that goes on or was the last. A newer one gives it up, so that answers never cross. */
let loading = new AbortController();
let timer;
/** When the server last answered. */
let answeredAt = null;
/** False while the login form is shown, true once an answer came, null before. @type {boolean|null} */
let loggedIn = null;

onLoggedOut(() => showLogin());
login.addEventListener("submit", logIn);
logout.addEventListener("click", async () => {
  if (await attempt(problem, () => post("/admin/logout"))) showLogin();
});
addEventListener("hashchange", () => {
  showView();
  // The link that led here may be gone from sight, and the focus with it.
  if (!nav.contains(document.activeElement)) view.section.querySelector("h2").focus();
  scrollTo(0, 0);
});
document.addEventListener("visibilitychange", () => (document.hidden ? pause() : refresh()));
addEventListener("online", refresh);
showStatus("connecting", "Connecting …");
showView();

/** Shows the view that the address names, the overview if it names none. */
function showView() {
  const [name, id] = location.hash.slice(1).split("/");
  view = Object.hasOwn(VIEWS, name) && (name === "room") === Boolean(id) ? VIEWS[name] : VIEWS.overview;
  view.open?.(id.toUpperCase());
  for (const link of nav.querySelectorAll("a")) {
    if (link.dataset.view === view.nav) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  setText(problem, "");
  showSections();
  refresh();
}

function showSections() {
  show(login, loggedIn === false);
  for (const element of [nav, logout]) show(element, loggedIn === true);
  for (const { section } of Object.values(VIEWS)) show(section, loggedIn === true && section === view.section);
}

/** Loads the view now, and again every two seconds after the answer, as long as somebody may be looking. */
async function refresh() {
  pause();
  if (loggedIn === false || document.hidden) return;
  loading = new AbortController();
  const { signal } = loading;
  try {
    await view.load(signal);
    reached();
    setText(problem, "");
  } catch (error) {
    if (signal.aborted || loggedIn === false) return;
    if (error.code === "UNREACHABLE") {
      showStatus("resuming", unreachable());
    } else {
      reached();
      setText(problem, explain(error));
    }
  }
  if (!signal.aborted) timer = setTimeout(refresh, POLL_MS);
}

function pause() {
  loading.abort();
  clearTimeout(timer);
}

function reached() {
  answeredAt = Date.now();
  showStatus("open", "Live");
  if (loggedIn) return;
  loggedIn = true;
  showSections();
}

function unreachable() {
  const shown = answeredAt === null ? "" : ` What you see is from ${seconds(answeredAt)}.`;
  return `The server cannot be reached.${shown} Trying again …`;
}

/** @param {"connecting"|"open"|"resuming"|"closed"} state */
function showStatus(state, words) {
  status.dataset.status = state;
  setText(status, words);
}

function showLogin() {
  pause();
  askNoMore();
  loggedIn = false;
  showStatus("closed", "Not logged in");
  showSections();
  token.focus();
}

async function logIn(event) {
  event.preventDefault();
  if (login.getAttribute("aria-busy") === "true") return;
  login.setAttribute("aria-busy", "true");
  setText(loginProblem, "");
  try {
    await post("/admin/login", { token: token.value });
    token.value = "";
    loggedIn = null;
    showSections();
    await refresh();
    // Over plain http a browser throws a cookie away that is meant for https alone.
    if (loggedIn === false) setText(loginProblem, "The token is right, but the browser did not keep the login.");
  } catch (error) {
    const wrong = error.code === "UNAUTHORIZED";
    setText(loginProblem, wrong ? "This token is wrong." : explain(error));
    token.select();
  } finally {
    login.removeAttribute("aria-busy");
  }
}
