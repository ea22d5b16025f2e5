/**
 * Small helpers for making and updating elements. Text goes in as text, never as HTML.
 */

/**
 * Makes an element.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [props]  Attributes; `onclick` and the like are listeners; true and false
 *   set an attribute or leave it out.
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

/** As `h`, for a drawing. @returns {SVGElement} */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A labelled field of a form. */
export function field(label, control, hint) {
  return h(
    "label",
    { class: "field" },
    h("span", { class: "field-label" }, label),
    control,
    hint && h("small", {}, hint),
  );
}

/** A tick box with its words beside it. */
export function tick(label, control) {
  return h("label", { class: "tick" }, control, h("span", {}, label));
}

/** Sets a text only where it differs, so that a screen reader hears each once. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, visible) {
  element.hidden = !visible;
}

/**
 * Says whether a button does something just now. Not by `disabled`, which takes the focus
 * away from whoever plays by keyboard; so its listener asks `isEnabled`.
 */
export function enable(button, enabled) {
  button.setAttribute("aria-disabled", String(!enabled));
}

export function isEnabled(button) {
  return button.getAttribute("aria-disabled") !== "true";
}

/**
 * Makes the children of `list` those of `items`, keeping the element of a key that stays, and with it
 * its focus.
 *
 * @template T
 * @param {HTMLElement} list
 * @param {T[]} items
 * @param {object} how
 * @param {(item: T, index: number) => string|number} how.key
 * @param {(item: T) => HTMLElement} how.make
 * @param {(element: HTMLElement, item: T, index: number) => void} [how.update]
 */
export function keyed(list, items, { key: keyOf, make, update = () => {} }) {
  const old = new Map([...list.children].map((element) => [element.dataset.key, element]));
  items.forEach((item, index) => {
    const key = String(keyOf(item, index));
    let element = old.get(key);
    old.delete(key);
    if (!element) {
      element = make(item);
      element.dataset.key = key;
    }
    update(element, item, index);
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
  for (const element of old.values()) element.remove();
}

// There from the beginning: a region that comes together with its first text may not be read out.
const toasts = h("div", { id: "toasts", role: "alert" });
document.body.append(toasts);

/** Shows `text` for a few seconds at the foot of the page, and says it at once. */
export function toast(text) {
  const note = h("p", { class: "toast" }, text);
  toasts.replaceChildren(note);
  setTimeout(() => note.remove(), TOAST_MS);
}

const TOAST_MS = 6_000;

/** Copies `input`'s text. Plain http has no clipboard interface, there the old way does it. */
export async function copy(input) {
  try {
    await navigator.clipboard.writeText(input.value);
    return true;
  } catch {
    input.select();
    return document.execCommand("copy");
  }
}

/** "1 die", "2 dice". */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}
