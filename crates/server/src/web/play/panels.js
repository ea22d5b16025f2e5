/**
 * The panels around a board: the lobby, the players, the chat.
 *
 * Each shows the room it is given and asks the table to send what a player wants. They keep
 * nothing of the room themselves.
 */

import { copy, count, field, h, keyed, setText, show } from "./ui.js";

/**
 * What is seen before the game: the invitation, bots, readiness, the start.
 *
 * @param {import("./table.js").GamePage} game
 * @param {import("./table.js").Table} table
 */
export function lobbyPanel(game, table) {
  const [fewest, most] = game.players;
  const link = h("input", { readonly: true, id: "link", onfocus: () => link.select() });
  const copied = h("span", { class: "copied", role: "status" });
  const copyLink = async () => setText(copied, (await copy(link)) ? "Copied" : "Select it and copy");
  const code = h("strong", { class: "code" });

  const level = h(
    "select",
    { id: "level" },
    ...(game.bots ?? []).map(([value, words]) => h("option", { value }, words)),
  );
  const addBot = h("button", { type: "submit" }, "Add a bot");
  const bots = h(
    "form",
    {
      class: "row inline",
      onsubmit: (event) => (event.preventDefault(), table.request("add_bot", { level: level.value })),
    },
    field("Or play against a bot", level),
    addBot,
  );

  const ready = h("button", { type: "button", "aria-pressed": "false" }, "I am ready");
  ready.onclick = () => table.request("set_ready", { ready: ready.getAttribute("aria-pressed") !== "true" });
  const start = h(
    "button",
    { type: "button", class: "primary", onclick: () => table.request("start_game") },
    "Start the game",
  );

  const element = h(
    "section",
    { class: "card lobby", "aria-label": "Before the game" },
    h(
      "div",
      { class: "row inline" },
      field("Invite with this link", link),
      h("button", { type: "button", onclick: copyLink }, "Copy"),
      copied,
    ),
    h("p", { class: "lead" }, "Or tell them the code of this table: ", code),
    bots,
    h("div", { class: "row" }, ready, start),
  );

  function render(room) {
    const hosting = room.host === room.playerId;
    const seated = room.seated.length;
    if (link.value !== table.link) link.value = table.link;
    setText(code, room.roomId);
    show(bots, hosting && level.options.length > 0 && seated < most);
    show(ready, game.start === "ready" && !table.watching);
    ready.setAttribute("aria-pressed", String(room.me?.ready ?? false));
    show(start, hosting && game.start === "host");
    start.disabled = seated < fewest;
  }

  function headline(room) {
    const missing = fewest - room.seated.length;
    if (missing > 0)
      return { text: `Waiting for ${missing === 1 ? "one more player" : count(missing, "more player")}` };
    if (game.start === "full") return { text: "About to start" };
    if (game.start === "ready") return { text: "Waiting until everybody is ready" };
    if (room.host === room.playerId) return { text: "Start when everybody is here", mine: true };
    return { text: `Waiting for ${room.host === null ? "a host" : table.name(room.host)} to start` };
  }

  return { element, render, headline };
}

/**
 * Who sits at the table and who watches.
 *
 * @param {import("./table.js").GamePage} game
 * @param {import("./table.js").Table} table
 */
export function playersPanel(game, table) {
  const seats = h("ul", { class: "players" });
  const watchers = h("ul", { class: "players" });
  const watchersTitle = h("h3", {}, "Watching");
  const role = h("button", { type: "button", class: "quiet" });
  role.onclick = () => table.request("set_role", { spectator: !table.watching });
  const locked = h("p", { class: "lead" }, "This table is locked. Nobody else can come in.");
  const lock = h("button", { type: "button", class: "quiet" });
  lock.onclick = () => table.request("update_room", { locked: lock.dataset.locked !== "true" });
  const element = h(
    "section",
    { class: "card", "aria-label": "Players" },
    h("h2", {}, "Players"),
    seats,
    watchersTitle,
    watchers,
    locked,
    role,
    lock,
  );

  function make({ playerId }) {
    const button = (words, request, data) => {
      const onclick = () => table.request(request, { playerId, ...data });
      return h("button", { type: "button", class: "quiet small", onclick }, words);
    };
    // Out of the way, since what is behind it cannot be taken back.
    const manage = h("button", { type: "button", class: "quiet small" }, "⋯");
    const menu = h(
      "div",
      { class: "row manage" },
      button("Make host", "set_host"),
      button("Remove", "kick_player"),
      button("Ban", "kick_player", { ban: true }),
    );
    manage.onclick = () => unfold(manage, menu, menu.hidden);
    unfold(manage, menu, false);
    return h(
      "li",
      {},
      h(
        "div",
        { class: "player" },
        h("span", { class: "avatar", "aria-hidden": "true" }),
        h("span", { class: "player-name" }),
        h("span", { class: "tags" }),
        button("Remove", "remove_bot"),
        manage,
        h("strong", { class: "badge" }),
      ),
      menu,
    );
  }

  function unfold(manage, menu, open) {
    manage.setAttribute("aria-expanded", String(open));
    show(menu, open);
  }

  function update(row, player, room) {
    const [line, menu] = row.children;
    const [avatar, name, tags, removeBot, manage, badge] = line.children;
    const [makeHost, remove, ban] = menu.children;
    const { playerId, kind } = player;
    const bot = kind === "bot";
    setText(avatar, bot ? "⚙" : [...player.name][0].toUpperCase());
    avatar.dataset.tint = playerId % TINTS;
    setText(name, player.name);
    setText(tags, describe(player, room).join(", "));
    setText(badge, (room.phase !== "lobby" && game.badge?.(room.state, playerId)) || "");
    row.classList.toggle("away", !player.connected);

    const hosting = room.host === room.playerId && playerId !== room.playerId;
    removeBot.setAttribute("aria-label", `Remove ${player.name}`);
    show(removeBot, hosting && bot && room.phase === "lobby");
    manage.setAttribute("aria-label", `Manage ${player.name}`);
    show(manage, hosting && !bot);
    if (!hosting) unfold(manage, menu, false);
    makeHost.setAttribute("aria-label", `Make ${player.name} the host`);
    show(makeHost, kind === "human" && player.connected);
    remove.setAttribute("aria-label", `Remove ${player.name}`);
    ban.setAttribute("aria-label", `Ban ${player.name}`);
    ban.title = "Remove, and let nobody of this name in again";
  }

  function render(room) {
    const watching = [...room.players.values()].filter((player) => player.kind === "spectator");
    const draw = (list, players) => {
      keyed(list, players, {
        key: (player) => player.playerId,
        make,
        update: (row, player) => update(row, player, room),
      });
    };
    draw(seats, room.seated);
    draw(watchers, watching);
    show(watchersTitle, watching.length > 0);
    const free = room.seated.length < game.players[1];
    setText(role, table.watching ? "Take a seat" : "Watch instead");
    const open = room.phase === "lobby" || (game.lateJoin && room.phase === "playing");
    show(role, open && (free || !table.watching));
    show(locked, room.locked);
    lock.dataset.locked = room.locked;
    setText(lock, room.locked ? "Unlock the table" : "Lock the table");
    show(lock, room.host === room.playerId);
  }

  function describe(player, room) {
    return [
      player.playerId === room.playerId && "you",
      player.playerId === room.host && "host",
      player.kind === "bot" && "bot",
      !player.connected && player.kind !== "bot" && "away",
      game.start === "ready" && room.phase === "lobby" && player.ready && "ready",
    ].filter(Boolean);
  }

  return { element, render };
}

const TINTS = 6;

/**
 * What is said at the table, and who comes and goes.
 *
 * @param {import("./table.js").Table} table
 */
export function chatPanel(table) {
  const log = h("ul", { class: "chat", role: "log", "aria-label": "Chat", tabindex: 0 });
  const text = h("input", {
    name: "text",
    maxlength: 500,
    autocomplete: "off",
    "aria-label": "Your message",
    placeholder: "Say something",
  });
  const form = h(
    "form",
    { class: "row inline", onsubmit: say },
    text,
    h("button", { type: "submit" }, "Send"),
  );
  const element = h("section", { class: "card" }, h("h2", {}, "Chat"), log, form);

  async function say(event) {
    event.preventDefault();
    const said = text.value.trim();
    if (!said) return;
    text.value = "";
    // What was refused is given back, unless something else is being written by now.
    if (!(await table.request("chat", { text: said })) && !text.value) text.value = said;
  }

  function append(line) {
    log.append(line);
    while (log.children.length > LINES_MAX) log.firstChild.remove();
    log.scrollTop = log.scrollHeight;
  }

  function said({ name, text: words }) {
    append(h("li", {}, h("strong", {}, name), ` ${words}`));
  }

  function note(words) {
    append(h("li", { class: "note" }, words));
  }

  function reset(room) {
    log.replaceChildren();
    room.chat.forEach(said);
  }

  function listen(client) {
    client.on("chat_message", said);
    client.on("player_joined", ({ playerId, name }) => table.knows(playerId) || note(`${name} is here`));
    client.on("player_replaced", ({ name, kind }) =>
      note(kind === "bot" ? `A bot plays for ${name}` : `${name} is back`),
    );
    // Whoever comes back hears of the own absence too, and knows of it.
    client.on(
      "player_disconnected",
      ({ playerId }) => playerId !== table.me && note(`${table.name(playerId)} lost the connection`),
    );
    client.on(
      "player_reconnected",
      ({ playerId }) => playerId !== table.me && note(`${table.name(playerId)} is back`),
    );
    client.on("player_left", ({ playerId, reason }) => note(`${table.name(playerId)} ${LEFT[reason]}`));
  }

  return { element, reset, listen };
}

const LINES_MAX = 200;

const LEFT = {
  left: "has left",
  kicked: "was removed by the host",
  timeout: "did not come back",
  removed: "was removed",
};
