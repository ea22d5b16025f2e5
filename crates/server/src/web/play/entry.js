/**
 * The form at the door of a table: who is it, which table, under which terms.
 *
 * It asks and shows what was wrong with the answer; what is done with the answer is its caller's.
 */

import { loadName, saveName } from "/parlor.js";
import { explain } from "./messages.js";
import { field, h, setText, show, tick } from "./ui.js";

/**
 * One thing that can be chosen when a table is opened.
 *
 * @typedef {object} Option
 * @property {string} name  Its name in the game's options.
 * @property {string} label
 * @property {Array<[value: number|string|boolean, words: string]>} choices
 * @property {number|string|boolean} value  What is chosen at first.
 */

/**
 * Makes the form.
 *
 * @param {object} entry
 * @param {string} entry.title
 * @param {string} entry.lead  A sentence below the title.
 * @param {string} entry.submitLabel
 * @param {boolean} [entry.opens]  Asks for what a new table needs.
 * @param {Option[]} [entry.options]
 * @param {boolean} [entry.watchable]  Offers to watch instead.
 * @param {(answer: object) => Promise<void>} entry.onAnswer  Throws a ParlorError when the answer will not do.
 * @returns {{element: HTMLElement, answer: (spectator?: boolean) => Promise<void>}}
 */
export function entryForm({
  title,
  lead,
  submitLabel,
  opens = false,
  options = [],
  watchable = false,
  onAnswer,
}) {
  const name = h("input", {
    name: "playerName",
    required: true,
    maxlength: 32,
    autocomplete: "nickname",
    value: loadName(),
  });
  const password = h("input", { name: "password", type: "password", maxlength: 64, autocomplete: "off" });
  const passwordField = field(
    "Password",
    password,
    opens && "Leave it empty to let anybody in who has the link.",
  );
  const isPublic = h("input", { name: "public", type: "checkbox", checked: true });
  const selects = options.map((option) => [option, optionSelect(option)]);
  const problem = h("p", { class: "problem", role: "alert" });
  const submit = h("button", { class: "primary", type: "submit" }, submitLabel);
  const watch = h(
    "button",
    { type: "button", onclick: () => form.reportValidity() && answer(true) },
    "Just watch",
  );
  show(passwordField, opens);
  show(watch, watchable);

  const form = h(
    "form",
    { class: "card entry", onsubmit: (event) => (event.preventDefault(), answer()) },
    h("h2", {}, title),
    h("p", { class: "lead" }, lead),
    field("Your name", name),
    ...selects.map(([option, select]) => field(option.label, select)),
    passwordField,
    opens && tick("Show this table to everybody on the front page", isPublic),
    problem,
    h("div", { class: "row" }, submit, watch),
  );

  async function answer(spectator = false) {
    if (form.getAttribute("aria-busy") === "true") return;
    const playerName = name.value.trim();
    setText(problem, "");
    form.setAttribute("aria-busy", "true");
    try {
      await onAnswer({
        playerName,
        ...(password.value && { password: password.value }),
        ...(spectator && { spectator }),
        ...(opens && { private: !isPublic.checked }),
        ...(opens && selects.length > 0 && { options: chosen(selects) }),
      });
      saveName(playerName);
    } catch (error) {
      refuse(error);
    } finally {
      form.setAttribute("aria-busy", "false");
    }
  }

  function refuse(error) {
    const wrongPassword = error.code === "WRONG_PASSWORD";
    if (wrongPassword && passwordField.hidden) {
      show(passwordField, true);
      setText(problem, "This table has a password. Ask whoever invited you.");
    } else {
      setText(problem, explain(error));
    }
    name.setAttribute("aria-invalid", Boolean(error.details?.fields?.playerName));
    password.setAttribute("aria-invalid", wrongPassword);
    if (wrongPassword) password.select();
    else name.focus();
  }

  return { element: form, answer };
}

function optionSelect({ name, choices, value }) {
  const select = h(
    "select",
    { name },
    ...choices.map(([, words], index) => h("option", { value: index }, words)),
  );
  select.selectedIndex = choices.findIndex(([choice]) => choice === value);
  return select;
}

function chosen(selects) {
  return Object.fromEntries(
    selects.map(([option, select]) => [option.name, option.choices[select.selectedIndex][0]]),
  );
}
