/**
 * The rooms of this server, a page at a time.
 */

import { count, h, setText } from "/play/ui.js";
import { moment } from "./format.js";
import { pagedList } from "./list.js";

/** @param {() => void} refresh */
export function roomsView(refresh) {
  const section = document.querySelector("#rooms-view");
  const load = pagedList({
    path: "/admin/api/rooms",
    name: "rooms",
    table: section.querySelector("#rooms"),
    search: section.querySelector("#room-search"),
    refresh,
    key: (room) => room.roomId,
    make: ({ roomId, gameType, createdAt }) =>
      h(
        "tr",
        { "data-room": roomId },
        h("td", {}, h("a", { class: "code", href: `#room/${encodeURIComponent(roomId)}` }, roomId)),
        h("td", {}, gameType),
        h("td", { class: "phase" }),
        h("td"),
        h("td"),
        h("td"),
        h("td", {}, moment(createdAt)),
      ),
    update(row, room) {
      const [, , phase, seats, watching, door] = row.cells;
      setText(phase, room.phase);
      phase.dataset.phase = room.phase;
      setText(seats, seatsOf(room));
      setText(watching, String(room.spectatorCount));
      setText(door, doorOf(room));
    },
  });
  return { section, nav: "rooms", load };
}

export function seatsOf({ playerCount, maxPlayers, botCount }) {
  return `${playerCount} of ${maxPlayers}${botCount > 0 ? `, ${count(botCount, "bot")}` : ""}`;
}

/** Who may come in. */
export function doorOf(room) {
  const facts = [
    room.private && "private",
    room.hasPassword && "password",
    room.locked && "locked",
    room.joinable ? "open" : "closed to players",
  ];
  return facts.filter(Boolean).join(", ");
}
