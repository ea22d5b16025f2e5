/**
 * What changes something: asked back about, done, and the outcome said near it.
 */

import { setText } from "/play/ui.js";
import { explain } from "./api.js";

const dialog = document.querySelector("#confirm");
const question = document.querySelector("#confirm-question");
const detail = document.querySelector("#confirm-detail");
const yes = dialog.querySelector('[value="yes"]');

// Not by a form of the method "dialog": the pages' policy lets no form go anywhere.
for (const button of dialog.querySelectorAll("button")) {
  button.addEventListener("click", () => dialog.close(button.value));
}

/**
 * Asks before what cannot be taken back. "No" has the focus, so that Enter does no harm.
 *
 * @param {{question: string, detail: string, yes: string}} words
 * @returns {Promise<boolean>}
 */
export function agreed(words) {
  if (dialog.open) return Promise.resolve(false);
  setText(question, words.question);
  setText(detail, words.detail);
  setText(yes, words.yes);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Whoever is logged out meanwhile is asked no more. */
export function askNoMore() {
  dialog.close("no");
}

/**
 * Does `run` and says in `problem` why it failed, if it did.
 *
 * @param {HTMLElement} problem
 * @param {() => Promise<any>} run
 * @returns {Promise<boolean>} whether it was done.
 */
export async function attempt(problem, run) {
  setText(problem, "");
  try {
    await run();
    return true;
  } catch (error) {
    setText(problem, explain(error));
    problem.scrollIntoView({ block: "nearest" });
    return false;
  }
}
