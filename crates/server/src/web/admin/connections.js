/**
 * The sockets that are open, a page at a time, and the way to close one.
 */

import { h, setText, toast } from "/play/ui.js";
import { agreed, attempt } from "./act.js";
import { post } from "./api.js";
import { moment, NONE, whole } from "./format.js";
import { pagedList } from "./list.js";

/** @param {() => void} refresh */
export function connectionsView(refresh) {
  const section = document.querySelector("#connections-view");
  const problem = section.querySelector("#connections-problem");

  async function close({ connection, address }) {
    const sure = await agreed({
      question: `Close connection ${connection}?`,
      detail: `It comes from ${address ?? "an unknown address"}. A client may connect again and go back to its seat.`,
      yes: "Close it",
    });
    if (!sure) return;
    if (await attempt(problem, () => post(`/admin/api/connections/${connection}/close`))) {
      toast(`Connection ${connection} is closed.`);
      refresh();
    }
  }

  const load = pagedList({
    path: "/admin/api/connections",
    name: "connections",
    table: section.querySelector("#connections"),
    search: section.querySelector("#connection-search"),
    refresh,
    key: ({ connection }) => connection,
    make: (item) =>
      h(
        "tr",
        { "data-connection": item.connection },
        h("td", {}, String(item.connection)),
        h("td", {}, item.address ?? NONE),
        h("td", {}, h("bdi")),
        h("td", {}, item.codec),
        h("td", {}, moment(item.since)),
        h("td", {}, h("a", { class: "code" })),
        h("td"),
        h("td"),
        h("td"),
        h("td"),
        h(
          "td",
          {},
          h(
            "button",
            {
              type: "button",
              class: "small",
              "data-action": "close-connection",
              "aria-label": `Close connection ${item.connection}`,
              onclick: () => close(item),
            },
            "Close",
          ),
        ),
      ),
    update(row, { subject, roomId, playerId, waiting, queued, written }) {
      const [, , subjectCell, , , room, player, waitingCell, queuedCell, writtenCell] = row.cells;
      setText(subjectCell.firstChild, subject ?? NONE);
      const link = room.firstChild;
      setText(link, roomId ?? NONE);
      if (roomId === null) link.removeAttribute("href");
      else link.setAttribute("href", `#room/${encodeURIComponent(roomId)}`);
      setText(player, whole(playerId));
      setText(waitingCell, whole(waiting));
      setText(queuedCell, whole(queued));
      setText(writtenCell, whole(written));
    },
  });
  return { section, nav: "connections", load };
}
