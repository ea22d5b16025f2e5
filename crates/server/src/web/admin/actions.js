/**
 * What concerns the whole server: a notice to everybody, and draining.
 */

import { count, setText } from "/play/ui.js";
import { agreed, attempt } from "./act.js";
import { get, post } from "./api.js";

/** @param {() => void} refresh */
export function actionsView(refresh) {
  const section = document.querySelector("#actions");
  const form = section.querySelector("#notice");
  const text = form.querySelector("textarea");
  const send = form.querySelector("button");
  const [noticeProblem, told] = form.querySelectorAll("p");
  const drain = section.querySelector("#drain");
  const drainProblem = section.querySelector("#drain-problem");
  const drainState = section.querySelector("#drain-state");

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const notice = text.value.trim();
    if (!notice || send.disabled) return;
    // Twice would be told twice.
    send.disabled = true;
    setText(told, "");
    await attempt(noticeProblem, async () => {
      const answer = await post("/admin/api/notice", { text: notice });
      setText(told, `Told to ${count(answer.told, "connection")}.`);
      text.value = "";
    });
    send.disabled = false;
  });

  drain.addEventListener("click", async () => {
    const sure = await agreed({
      question: "Drain this server?",
      detail: "Everybody on it loses the connection, and the server stops. It cannot be called back.",
      yes: "Drain it",
    });
    if (sure && (await attempt(drainProblem, () => post("/admin/api/drain")))) refresh();
  });

  async function load(signal) {
    const { draining } = await get("/admin/api/overview", {}, signal);
    drain.disabled = draining;
    setText(drainState, draining ? "This server is draining and is about to stop." : "");
  }

  return { section, nav: "actions", load };
}
