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
 * @param {object} list
 * @param {string} list.path
 * @param {string} list.name  What the answer calls the rows, and in words.
 * @param {HTMLTableElement} list.table
 * @param {HTMLInputElement} list.search
 * @param {() => void} list.refresh  Asks the page to load this view now.
 * @param {(item: any) => string|number} list.key
 * @param {(item: any) => HTMLElement} list.make  A row.
 * @param {(row: HTMLElement, item: any) => void} list.update
 */
export function pagedList({ path, name, table, search, refresh, key, make, update }) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const found = h("span", { role: "status" });
  const previous = h("button", { type: "button", class: "small", onclick: () => turn(previous) }, "Previous");
  const next = h("button", { type: "button", class: "small", onclick: () => turn(next) }, "Next");
  table.parentElement.querySelector(".pages").append(found, previous, next);

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

  return async function load(signal) {
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
    keyed(body, rows, { key, make: (item) => labelled(make(item), headings), update });
    // What closes while somebody leafs through may leave the last page empty.
    if (rows.length === 0 && cursors.length > 1) cursors.pop();
    drawPages(rows.length, answer.total);
  };

  function drawPages(shown, total) {
    const before = (cursors.length - 1) * ROWS_MAX;
    const range = `${whole(before + 1)} to ${whole(before + shown)} of ${whole(total)}`;
    setText(found, shown === 0 ? `No ${name}` : range);
    const [isFirst, isLast] = [cursors.length === 1, nextCursor == null];
    enable(previous, !isFirst);
    enable(next, !isLast);
    for (const button of [previous, next]) show(button, !(isFirst && isLast));
  }
}

/** On a phone a row is a card, and each cell says for itself what it is. */
function labelled(row, headings) {
  [...row.cells].forEach((cell, index) => (cell.dataset.label = headings[index]));
  return row;
}
