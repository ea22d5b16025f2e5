/**
 * One room: who is in it, its whole state, what happened last, and what an operator can do about it.
 */

import { h, keyed, setText, show, toast } from "/play/ui.js";
import { agreed, attempt } from "./act.js";
import { get, post } from "./api.js";
import { drawFacts, moment, whole } from "./format.js";
import { doorOf, seatsOf } from "./rooms.js";

/** @param {() => void} refresh */
export function roomView(refresh) {
  const section = document.querySelector("#room");
  const part = (id) => section.querySelector(`#${id}`);
  const [title, gone, body] = ["room-title", "room-gone", "room-body"].map(part);
  const [facts, problem] = ["room-facts", "room-problem"].map(part);
  const [players, events, state, stateTitle] = ["players", "events", "state", "state-title"].map(part);
  const closeRoom = section.querySelector('[data-action="close-room"]');
  let roomId;
  /** The version of the state that is shown. */
  let version = null;

  closeRoom.addEventListener("click", async () => {
    const sure = await agreed({
      question: `Close room ${roomId}?`,
      detail: "Everybody in it is sent away, and its game is lost.",
      yes: "Close the room",
    });
    if (sure) await act("close", {}, `Room ${roomId} is closed.`);
  });

  async function kick({ playerId, name }, ban) {
    const sure = await agreed({
      question: ban ? `Kick and ban ${quoted(name)}?` : `Kick ${quoted(name)}?`,
      detail: ban
        ? "The seat is given up, and nobody of this name gets into the room again."
        : "The seat is given up. Whoever it was may join again.",
      yes: ban ? "Kick and ban" : "Kick",
    });
    if (sure) await act("kick", { playerId, ban }, `${quoted(name)} is out of the room.`);
  }

  async function act(what, data, done) {
    const path = `/admin/api/rooms/${encodeURIComponent(roomId)}/${what}`;
    if (await attempt(problem, () => post(path, data))) {
      toast(done);
      refresh();
    }
  }

  /** Another room is to be seen. */
  function open(id) {
    if (id === roomId) return;
    roomId = id;
    version = null;
    setText(title, `Room ${id}`);
    setText(problem, "");
    show(gone, false);
    show(body, false);
    for (const list of [players, events]) list.replaceChildren();
  }

  async function load(signal) {
    let answer;
    try {
      answer = await get(`/admin/api/rooms/${encodeURIComponent(roomId)}`, {}, signal);
    } catch (error) {
      if (error.code !== "ROOM_NOT_FOUND") throw error;
      const last = version !== null && "This room has closed. Below is what was last seen of it.";
      setText(gone, last || "There is no such room. It may have closed.");
      show(gone, true);
      // Nothing can be done about it any more.
      for (const button of section.querySelectorAll("button")) button.disabled = true;
      return;
    }
    show(gone, false);
    show(body, true);
    closeRoom.disabled = false;
    drawRoom(answer);
    drawPlayers(answer);
    drawState(answer);
    drawEvents(answer.events);
  }

  function drawRoom({ room, seq }) {
    drawFacts(facts, [
      ["Game", room.gameType],
      ["Phase", room.phase],
      ["Seats", seatsOf(room)],
      ["Watching", whole(room.spectatorCount)],
      ["Door", doorOf(room)],
      ["Opened", moment(room.createdAt)],
      ["Messages", whole(seq)],
      ["Options", JSON.stringify(room.options)],
      ["Metadata", JSON.stringify(room.metadata)],
    ]);
  }

  function drawPlayers(answer) {
    const make = (player) => {
      const button = (action, words) =>
        h(
          "button",
          {
            type: "button",
            class: "small",
            "data-action": action,
            "data-player": player.playerId,
            "aria-label": `${words} ${player.name}`,
            onclick: () => kick(player, action === "ban"),
          },
          words,
        );
      // A bot belongs to the room, and is not sent away like a guest.
      const buttons = player.kind === "bot" ? [] : [button("kick", "Kick"), button("ban", "Kick and ban")];
      return h(
        "li",
        {},
        h("span", { class: "who" }, h("bdi", {}, player.name), " ", h("span", { class: "lead" })),
        h("span", { class: "row" }, ...buttons),
      );
    };
    const update = (row, player) => {
      setText(row.firstChild.lastChild, describe(player, answer));
      for (const button of row.querySelectorAll("button")) button.disabled = false;
    };
    // The kind is part of the key: a bot may take over a seat, under its number.
    const key = ({ playerId, kind, name }) => `${playerId} ${kind} ${name}`;
    keyed(players, answer.players, { key, make, update });
  }

  function drawState(answer) {
    // A text that somebody is selecting stays as it is, with the version that belongs to it.
    const selection = getSelection();
    const selecting = !selection.isCollapsed && selection.containsNode(state, true);
    if (version !== null && (answer.version === version || selecting)) return;
    version = answer.version;
    setText(stateTitle, `State, version ${whole(version)}`);
    setText(state, JSON.stringify(answer.state, null, 2));
  }

  function drawEvents(list) {
    // Newest first, so that what is new comes in at the front and no other row moves. Several may have
    // the same number.
    let same = 0;
    const rows = list.toReversed().map((event, index, all) => {
      same = event.seq === all[index - 1]?.seq ? same + 1 : 0;
      return { ...event, key: `${event.seq} ${same}` };
    });
    keyed(events, rows, {
      key: (event) => event.key,
      make: () => h("li", {}, h("span", { class: "lead number" }), h("strong"), h("code")),
      update: (row, { seq, type, data }) => {
        const [number, name, content] = row.children;
        setText(number, String(seq));
        setText(name, type);
        setText(content, JSON.stringify(data));
      },
    });
  }

  return { section, nav: "rooms", open, load };
}

function describe({ playerId, kind, connected, ready }, { host, room }) {
  const facts = [
    `no. ${playerId}`,
    playerId === host && "host",
    kind === "bot" && "bot",
    kind === "spectator" && "watching",
    kind !== "bot" && !connected && "away",
    room.phase === "lobby" && kind === "human" && ready && "ready",
  ];
  return facts.filter(Boolean).join(", ");
}

/** A name kept apart from the words around it, whichever way it is written. */
function quoted(name) {
  return `“\u2068${name}\u2069”`;
}
