/**
 * How the server is: figures, their course over the last half hour, and what it has counted.
 */

import { h, keyed, setText, show } from "/play/ui.js";
import { get } from "./api.js";
import { chart } from "./chart.js";
import { bytes, drawFacts, duration, milliseconds, rate, short, whole } from "./format.js";

export function overviewView() {
  const section = document.querySelector("#overview");
  const draining = section.querySelector("#draining");
  const figures = section.querySelector("#figures");
  const requests = section.querySelector("#requests").tBodies[0];
  const messages = section.querySelector("#messages").tBodies[0];

  // Who looks at a moment in one chart sees it in all.
  const onLook = (at) => charts.forEach((each) => each.look(at));
  const charts = [
    chart(section.querySelector("#chart-connections"), {
      label: "Connections and players",
      series: [
        ["connections", "Connections"],
        ["players", "Players"],
      ],
      format: whole,
      axis: short,
      stepMin: 1,
      onLook,
    }),
    chart(section.querySelector("#chart-messages"), {
      label: "Messages and requests, each second",
      series: [
        ["messagesPerSecond", "Messages"],
        ["requestsPerSecond", "Requests"],
      ],
      format: rate,
      axis: (value) => `${short(value)}/s`,
      onLook,
    }),
    chart(section.querySelector("#chart-latency"), {
      label: "How long an action takes",
      series: [
        ["actionP50Ms", "p50"],
        ["actionP99Ms", "p99"],
      ],
      format: milliseconds,
      onLook,
    }),
  ];

  async function load(signal) {
    const overview = await get("/admin/api/overview", {}, signal);
    show(draining, overview.draining);
    drawFigures(overview);
    for (const each of charts) each.draw(overview.samples);
    drawRequests(overview.requests);
    drawMessages(overview.messages);
  }

  function drawFigures(overview) {
    const newest = overview.samples.at(-1) ?? {};
    drawFacts(figures, [
      ["Connections", whole(overview.connections)],
      ["Rooms", whole(overview.rooms)],
      ["Players", whole(overview.players)],
      ["Bots", whole(overview.bots)],
      ["Messages", rate(newest.messagesPerSecond)],
      ["Action p99", milliseconds(newest.actionP99Ms)],
      ["Memory", bytes(overview.memoryBytes)],
      ["Running for", duration(overview.now - overview.startedAt)],
      ["Version", overview.server.replace("parlor/", "")],
    ]);
  }

  function drawRequests(counts) {
    // By name and not by number, so that a row keeps its place; what went well comes first.
    const rank = ({ type, outcome }) => `${type} ${outcome === "ok" ? "" : outcome}`;
    const make = ({ type, outcome }) =>
      h(
        "tr",
        {},
        h("td", {}, type),
        h("td", { class: outcome === "ok" ? "good" : "bad" }, outcome),
        h("td", { class: "number" }),
      );
    const update = (row, request) => setText(row.cells[2], whole(request.count));
    const sorted = counts.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
    keyed(requests, sorted, { key: rank, make, update });
  }

  function drawMessages({ queued, written, coalesced, replayed, unsent }) {
    const rows = [
      ["Queued", queued],
      ["Written", written],
      ["Replaced by a newer state", coalesced],
      ["Sent again to who came back", replayed],
      ...Object.entries(unsent).map(([code, number]) => [unsentAt(code), number]),
    ];
    keyed(messages, rows, {
      key: ([what]) => what,
      make: ([what]) => h("tr", {}, h("td", {}, what), h("td", { class: "number" })),
      update: (row, [, number]) => setText(row.cells[1], whole(number)),
    });
  }

  return { section, nav: "overview", load };
}

function unsentAt(code) {
  return `Unsent: ${CLOSE_CODES[code] ?? "closed"} (${code})`;
}

/** Why a connection was closed, by the code of the protocol. */
const CLOSE_CODES = {
  1000: "closed as usual",
  1001: "the server went away",
  1002: "the WebSocket protocol was broken",
  1003: "a kind of data that cannot be taken",
  1006: "the connection was lost",
  1007: "text that is not UTF-8",
  1009: "a message too big",
  1011: "a fault of the server",
  4001: "taken over by another socket",
  4002: "too slow a reader",
  4003: "kicked",
  4004: "the room closed",
  4005: "no heartbeat",
  4006: "the room's owner was lost",
  4400: "unreadable messages",
  4429: "too many requests",
};
