/**
 * The sockets that are open, a page at a time, and the way to close one.
 */

import { h, toast } from "/play/ui.js";
import { agreed, attempt } from "./act.js";
import { post } from "./api.js";
import { moment, NONE, whole } from "./format.js";
import { pagedList } from "./list.js";
import { roomLink } from "./rooms.js";

/** @param {() => void} refresh */
export function connectionsView(refresh) {
  const section = document.querySelector("#connections-view");
  const problem = section.querySelector("#connections-problem");

  async function close({ connection, address }) {
    const sure = await agreed({
      question: `Close connection ${connection}?`,
      detail: `It comes from ${address ?? "an unknown address"}. Its client may connect again and find its seat.`,
      yes: "Close it",
    });
    if (!sure) return;
    if (await attempt(problem, () => post(`/admin/api/connections/${connection}/close`))) {
      toast(`Connection ${connection} is closed.`);
      refresh();
    }
  }

  const closeButton = (item) => {
    const button = h("button", { type: "button", class: "small", "data-action": "close-connection" }, "Close");
    button.setAttribute("aria-label", `Close connection ${item.connection}`);
    button.onclick = () => close(item);
    return button;
  };

  const load = pagedList({
    path: "/admin/api/connections",
    name: "connections",
    section,
    refresh,
    key: "connection",
    mark: ({ connection }) => ({ "data-connection": connection }),
    columns: [
      { text: ({ connection }) => String(connection) },
      { text: ({ address }) => address ?? NONE },
      { text: ({ subject }) => subject ?? NONE },
      { text: ({ codec }) => codec },
      { text: ({ since }) => moment(since) },
      { text: ({ roomId }) => roomId ?? NONE, href: ({ roomId }) => roomId && roomLink(roomId), name: "code" },
      { text: ({ playerId }) => whole(playerId) },
      { text: ({ waiting }) => whole(waiting) },
      { text: ({ queued }) => whole(queued) },
      { text: ({ written }) => whole(written) },
      { make: closeButton },
    ],
  });
  return { section, nav: "connections", load };
}
