/**
 * The field on a canvas: walls, runners, who is it, whoever looks.
 *
 * The whole field where there is room for it. On a small screen a part of it, which goes with the player, and
 * an arrow at the edge to whoever is it.
 */

/** Pixels for a unit, below which runners would be too small to see. */
const SCALE_MIN = 0.5;
const PIXEL_RATIO_MAX = 2;
const TRAIL_MS = 260;
/** From oneself to the arrow head that says so. */
const MARKER_GAP = 12;
const NAME_CHARS_MAX = 16;
const FULL_TURN = 2 * Math.PI;
const TOP = -Math.PI / 2;

/**
 * @typedef {object} Scene
 * @property {any} view
 * @property {import("./arena-motion.js").Places} places  Where everybody is drawn.
 * @property {number|null} me  Whom the picture goes with; null for one who only watches.
 * @property {(playerId: number) => string} name
 * @property {number} now  The server's clock.
 * @property {boolean} calm  Without what only moves for its looks.
 */

/** @param {HTMLCanvasElement} canvas */
export function fieldPainter(canvas) {
  const context = canvas.getContext("2d");
  /** When each began to dash, and where it was then. */
  const trails = new Map();
  /** Read when first drawn: before, the canvas may have no place on the page. */
  let colours = null;
  let width = 0;
  let height = 0;

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours = null;
  });

  /** Fits the bitmap to the element. @returns {boolean} whether it was another size. */
  function fit() {
    const ratio = Math.min(devicePixelRatio || 1, PIXEL_RATIO_MAX);
    [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width === pixelWidth && canvas.height === pixelHeight) return false;
    [canvas.width, canvas.height] = [pixelWidth, pixelHeight];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return true;
  }

  /** @param {Scene} scene */
  function draw(scene) {
    fit();
    if (width === 0 || height === 0) return;
    colours ??= readColours(canvas);
    const camera = aim(scene, width, height);
    context.save();
    context.clearRect(0, 0, width, height);
    context.translate(camera.x, camera.y);
    context.scale(camera.scale, camera.scale);
    drawGround(scene.view);
    for (const wall of scene.view.walls) drawWall(wall);
    const runners = Object.entries(scene.places).map(([id, place]) => [Number(id), place]);
    // Oneself and who is it last, so that nobody stands in front of them.
    const rank = (id) => (id === scene.me ? 2 : id === scene.view.it ? 1 : 0);
    runners.sort(([one], [other]) => rank(one) - rank(other));
    if (!scene.calm) for (const [id, place] of runners) drawTrail(id, place, scene);
    for (const [id, place] of runners) drawRunner(id, place, scene, camera.scale);
    for (const [id, place] of runners) drawName(id, place, scene, camera);
    context.restore();
    pointToIt(scene, camera);
  }

  function drawGround({ field: [across, down] }) {
    context.fillStyle = colours.ground;
    context.fillRect(0, 0, across, down);
    context.strokeStyle = colours.lines;
    context.lineWidth = 2;
    context.beginPath();
    for (let x = 100; x < across; x += 100) context.rect(x, 0, 0, down);
    for (let y = 100; y < down; y += 100) context.rect(0, y, across, 0);
    context.stroke();
    context.strokeStyle = colours.wallEdge;
    context.lineWidth = 6;
    context.strokeRect(3, 3, across - 6, down - 6);
  }

  function drawWall([left, top, across, down]) {
    context.fillStyle = colours.shadow;
    roundRect(left + 4, top + 8, across, down, 12);
    context.fillStyle = colours.wallEdge;
    roundRect(left, top, across, down, 12);
    context.fillStyle = colours.wall;
    roundRect(left, top, across, down - 7, 12);
  }

  function roundRect(...rectangle) {
    context.beginPath();
    context.roundRect(...rectangle);
    context.fill();
  }

  function disc([x, y], radius) {
    context.beginPath();
    context.arc(x, y, radius, 0, FULL_TURN);
  }

  function drawTrail(id, [x, y], { view, now }) {
    const trail = trails.get(id);
    if (!trail) return;
    const left = 1 - (now - trail.since) / TRAIL_MS;
    if (left <= 0 || left > 1) {
      trails.delete(id);
      return;
    }
    trail.from ??= [x, y];
    const [fromX, fromY] = trail.from;
    context.strokeStyle = tint(id);
    context.globalAlpha = 0.45 * left;
    context.lineCap = "round";
    context.lineWidth = view.radius * 1.5 * left;
    context.beginPath();
    context.moveTo(fromX, fromY);
    context.lineTo(x, y);
    context.stroke();
    context.globalAlpha = 1;
  }

  function drawRunner(id, place, scene, scale) {
    const { view, now, me } = scene;
    const [x, y] = place;
    const { radius } = view;
    const isIt = id === view.it;
    context.fillStyle = colours.shadow;
    disc([x, y + 5], radius);
    context.fill();
    if (isIt) drawIt(place, scene);
    context.fillStyle = tint(id);
    disc(place, radius - 1);
    context.fill();
    context.lineWidth = Math.max(3, 2 / scale);
    context.strokeStyle = id === me ? colours.ink : colours.rim;
    disc(place, radius - 1);
    context.stroke();
    context.fillStyle = colours.letter;
    context.font = `700 ${radius * 1.05}px ${colours.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText([...scene.name(id)][0]?.toUpperCase() ?? "", x, y + 1);
    if (id === me) {
      drawMarker(place, radius, scale);
      drawRest(place, view.dashAt[me], now, radius);
    }
  }

  /** Burning red; in the time of grace after a tag only outlined. */
  function drawIt(place, { view, now, calm }) {
    const safe = now < view.safeUntil;
    const beat = calm || safe ? 0 : 2 * Math.sin(now / 130);
    context.globalAlpha = safe ? 0.25 : 0.4;
    context.fillStyle = colours.it;
    disc(place, view.radius + 13 + beat);
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = colours.it;
    context.lineWidth = 5;
    context.setLineDash(safe ? [8, 8] : []);
    disc(place, view.radius + 6);
    context.stroke();
    context.setLineDash([]);
  }

  /** An arrow head above oneself; below, where the field has no room above. */
  function drawMarker([x, y], radius, scale) {
    const size = markerSize(scale);
    const side = isMarkedBelow(y, radius, scale) ? 1 : -1;
    const tip = y + side * (radius + MARKER_GAP);
    context.fillStyle = colours.ink;
    context.beginPath();
    context.moveTo(x, tip);
    context.lineTo(x - size, tip + side * size * 1.2);
    context.lineTo(x + size, tip + side * size * 1.2);
    context.fill();
  }

  /** What is left of the pause after a dash. */
  function drawRest(place, again, now, radius) {
    const left = restLeft(again, now);
    if (left <= 0) return;
    context.strokeStyle = colours.ink;
    context.globalAlpha = 0.8;
    context.lineWidth = 4;
    context.beginPath();
    context.arc(...place, radius + 5, TOP, TOP + FULL_TURN * (1 - left));
    context.stroke();
    context.globalAlpha = 1;
  }

  function drawName(id, [x, y], { view, name, me }, camera) {
    const { scale } = camera;
    if (!isSeen(x, y, camera)) return;
    const words = shortened(id === me ? "You" : name(id));
    context.font = `600 ${12 / scale}px ${colours.font}`;
    context.textAlign = "center";
    context.textBaseline = "top";
    context.lineJoin = "round";
    context.lineWidth = 3.5 / scale;
    context.strokeStyle = colours.ground;
    const marker = id === me && isMarkedBelow(y, view.radius, scale) ? markerSize(scale) * 1.2 + 8 : 0;
    const below = y + view.radius + (id === view.it ? 14 : 5) + marker;
    const above = y - view.radius - 20 / scale - (id === me ? MARKER_GAP + markerSize(scale) : 0);
    const top = below + 14 / scale > view.field[1] ? above : below;
    // Inside of what is seen, also of somebody at its edge.
    const half = context.measureText(words).width / 2 + 4 / scale;
    const left = Math.max(0, -camera.x / scale) + half;
    const right = Math.min(view.field[0], (width - camera.x) / scale) - half;
    const middle = clamp(x, left, right);
    context.strokeText(words, middle, top);
    context.fillStyle = colours.ink;
    context.fillText(words, middle, top);
  }

  function onCanvas(x, y, camera) {
    return [x * camera.scale + camera.x, y * camera.scale + camera.y];
  }

  function isSeen(x, y, camera) {
    const [across, down] = onCanvas(x, y, camera);
    return across > 0 && across < width && down > 0 && down < height;
  }

  /** Where who is it can be found, when that is not to be seen. */
  function pointToIt({ view, places }, camera) {
    const it = places[view.it];
    if (!it) return;
    if (isSeen(...it, camera)) return;
    const [x, y] = onCanvas(...it, camera);
    const margin = 18;
    const at = [clamp(x, margin, width - margin), clamp(y, margin, height - margin)];
    context.save();
    context.translate(...at);
    context.rotate(Math.atan2(y - at[1], x - at[0]));
    context.fillStyle = colours.it;
    context.strokeStyle = colours.ink;
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(13, 0);
    context.lineTo(-9, -10);
    context.lineTo(-9, 10);
    context.closePath();
    context.fill();
    context.stroke();
    context.restore();
  }

  return {
    draw,
    fit,
    /** Somebody begins to dash. */
    dashed: (id, now) => trails.set(id, { since: now, from: null }),
  };
}

function markerSize(scale) {
  return Math.max(9, 6 / scale);
}

function isMarkedBelow(y, radius, scale) {
  return y - radius - MARKER_GAP < markerSize(scale) * 1.2;
}

/** How much of the pause after a dash is left, from 1 to 0. */
export function restLeft(again, now) {
  return again === undefined ? 0 : clamp((again - now) / DASH_AGAIN_MS, 0, 1);
}

const DASH_AGAIN_MS = 2500;

/** Which part of the field is seen, how large, and where on the canvas its corner is. */
function aim({ view, places, me }, width, height) {
  const [across, down] = view.field;
  const whole = Math.min(width / across, height / down);
  const scale = Math.max(whole, SCALE_MIN);
  const [x, y] = places[me] ?? places[view.it] ?? [across / 2, down / 2];
  const start = (seen, size, middle) =>
    size * scale <= seen ? (seen - size * scale) / 2 : clamp(seen / 2 - middle * scale, seen - size * scale, 0);
  return { scale, x: start(width, across, x), y: start(height, down, y) };
}

/** Each player's own colour, as far from that of its neighbours as a circle of colours allows. */
export function tint(playerId) {
  return `hsl(${(playerId * 137.5 + 20) % 360} 72% 70%)`;
}

function readColours(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    ground: read("--ground"),
    lines: read("--ground-lines"),
    wall: read("--wall"),
    wallEdge: read("--wall-edge"),
    shadow: read("--cast"),
    rim: read("--rim"),
    it: read("--it"),
    letter: "#1b211d",
    ink: read("--felt-ink"),
    font: style.fontFamily,
  };
}

function shortened(name) {
  const letters = [...name];
  return letters.length > NAME_CHARS_MAX ? `${letters.slice(0, NAME_CHARS_MAX - 1).join("")}…` : name;
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
