/**
 * A list of which the server sends one page: searched by the server, and only what is seen is held.
 */

import { enable, h, isEnabled, keyed, setText, show } from "/play/ui.js";
import { get } from "./api.js";
import { whole } from "./format.js";

const ROWS_MAX = 50;
/** A search waits until nothing more is typed. */
const TYPING_MS = 250;

/**
 * @typedef {object} Column
 * @property {(item: any) => string} [text]
 * @property {(item: any) => string|null} [href]  Where the text leads, if it leads somewhere.
 * @property {string} [name]  The class of its cells.
 * @property {(item: any) => HTMLElement} [make]  What stays in a cell as it is, in the place of a text.
 */

/**
 * @param {object} list
 * @param {string} list.path
 * @param {string} list.name  What the answer calls the rows, and in words.
 * @param {HTMLElement} list.section  Where its table is, its search and its pages.
 * @param {() => void} list.refresh  Asks for this view to be loaded now.
 * @param {string} list.key  Which field tells two rows apart.
 * @param {(item: any) => Record<string, unknown>} list.mark  The attributes of a row.
 * @param {Column[]} list.columns
 * @returns {(signal: AbortSignal) => Promise<void>} what loads and draws it.
 */
export function pagedList({ path, name, section, refresh, key, mark, columns }) {
  const [body] = section.querySelector("table").tBodies;
  const headings = [...section.querySelectorAll("thead th")].map((cell) => cell.textContent);
  const search = section.querySelector('input[type="search"]');
  const found = h("span", { role: "status" });
  const previous = h("button", { type: "button", class: "small", onclick: () => turn(previous) }, "Previous");
  const next = h("button", { type: "button", class: "small", onclick: () => turn(next) }, "Next");
  section.querySelector(".pages").append(found, previous, next);

  /** Where the pages up to the one shown begin. The first has no cursor. */
  let cursors = [undefined];
  let nextCursor;
  let typing;

  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      cursors = [undefined];
      refresh();
    }, TYPING_MS);
  });

  function turn(button) {
    if (!isEnabled(button)) return;
    if (button === next) cursors.push(nextCursor);
    else cursors.pop();
    // Until the page is there nobody knows what comes after it.
    enable(next, false);
    enable(previous, cursors.length > 1);
    refresh();
  }

  async function load(signal) {
    const query = { search: search.value.trim(), limit: ROWS_MAX, cursor: cursors.at(-1) };
    let answer;
    try {
      answer = await get(path, query, signal);
    } catch (error) {
      // A page that the server no longer knows is left for the first one.
      if (error.code === "VALIDATION_FAILED") cursors = [undefined];
      throw error;
    }
    const rows = answer[name];
    nextCursor = answer.cursor;
    keyed(body, rows, { key: (item) => item[key], make, update });
    drawPages(rows.length, answer.total);
    // What closes while somebody leafs through may leave the last page empty.
    if (rows.length === 0 && cursors.length > 1) cursors.pop();
  }

  /** On a phone a row is a card, and each cell says for itself what it is. */
  function make(item) {
    const cell = (column, index) =>
      h(
        "td",
        { class: column.name, "data-label": headings[index] },
        column.make ? column.make(item) : h(column.href ? "a" : "bdi"),
      );
    return h("tr", {}, ...columns.map(cell));
  }

  function update(row, item) {
    for (const [attribute, value] of Object.entries(mark(item))) setAttribute(row, attribute, value);
    columns.forEach(({ text, href }, index) => {
      const content = row.cells[index].firstChild;
      if (text) setText(content, text(item));
      if (href) setAttribute(content, "href", href(item));
    });
  }

  function drawPages(shown, total) {
    const before = (cursors.length - 1) * ROWS_MAX;
    const range = `${whole(before + 1)} to ${whole(before + shown)} of ${whole(total)}`;
    setText(found, shown === 0 ? `No ${name}` : range);
    const [isFirst, isLast] = [cursors.length === 1, nextCursor == null];
    enable(previous, !isFirst);
    enable(next, !isLast);
    for (const button of [previous, next]) show(button, !(isFirst && isLast));
  }

  return load;
}

/** Touches the page only where something differs: mostly nothing does. */
function setAttribute(element, name, value) {
  if (value == null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}
