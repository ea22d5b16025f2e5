/**
 * The rooms of this server, a page at a time.
 */

import { count } from "/play/ui.js";
import { moment, whole } from "./format.js";
import { pagedList } from "./list.js";

/** @param {() => void} refresh */
export function roomsView(refresh) {
  const section = document.querySelector("#rooms-view");
  const load = pagedList({
    path: "/admin/api/rooms",
    name: "rooms",
    section,
    refresh,
    key: "roomId",
    mark: ({ roomId, phase }) => ({ "data-room": roomId, "data-phase": phase }),
    columns: [
      { text: ({ roomId }) => roomId, href: ({ roomId }) => roomLink(roomId), name: "code" },
      { text: ({ gameType }) => gameType },
      { text: ({ phase }) => phase, name: "phase" },
      { text: seatsOf },
      { text: ({ spectatorCount }) => whole(spectatorCount) },
      { text: doorOf },
      { text: ({ createdAt }) => moment(createdAt) },
    ],
  });
  return { section, nav: "rooms", load };
}

export function roomLink(roomId) {
  return `#room/${encodeURIComponent(roomId)}`;
}

export function seatsOf({ playerCount, maxPlayers, botCount }) {
  return `${playerCount} of ${maxPlayers}${botCount > 0 ? `, ${count(botCount, "bot")}` : ""}`;
}

/** Who may come in. */
export function doorOf(room) {
  const facts = [
    room.joinable ? "joinable" : "not joinable",
    room.private && "private",
    room.hasPassword && "password",
    room.locked && "locked",
  ];
  return facts.filter(Boolean).join(", ");
}
