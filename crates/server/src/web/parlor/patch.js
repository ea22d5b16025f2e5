/**
 * JSON Patch (RFC 6902), as far as the protocol uses it: add, remove and replace.
 *
 * A patch never changes the document it is applied to: what lies on the way to a change is
 * copied, all else is shared, so a page may compare old and new parts by identity.
 */

/**
 * @typedef {{op: "add"|"remove"|"replace", path: string, value?: unknown}} Operation
 */

/**
 * The document with all of `ops` applied, in order.
 *
 * @template T
 * @param {T} document
 * @param {Operation[]} ops
 * @returns {T}
 * @throws {RangeError} when an operation does not fit; the document is as it was.
 */
export function applyPatch(document, ops) {
  return ops.reduce((doc, op) => change(doc, pointer(op.path), op), document);
}

function pointer(path) {
  if (path === "") return [];
  if (path[0] !== "/") throw new RangeError(`not a JSON pointer: ${path}`);
  return path
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function change(node, path, op) {
  if (path.length === 0) {
    if (op.op === "remove") throw new RangeError("the whole document cannot be removed");
    return op.value;
  }
  if (node === null || typeof node !== "object") throw new RangeError(`nothing at ${op.path}`);
  const [key, ...rest] = path;
  return Array.isArray(node) ? changeArray(node, key, rest, op) : changeObject(node, key, rest, op);
}

function changeArray(node, key, rest, op) {
  const adding = rest.length === 0 && op.op === "add";
  const index = adding && key === "-" ? node.length : Number(key);
  const last = adding ? node.length : node.length - 1;
  if (!/^(0|[1-9]\d*|-)$/.test(key) || !(index <= last)) {
    throw new RangeError(`no such index: ${op.path}`);
  }
  const copy = node.slice();
  if (adding) copy.splice(index, 0, op.value);
  else if (rest.length === 0 && op.op === "remove") copy.splice(index, 1);
  else copy[index] = change(node[index], rest, op);
  return copy;
}

function changeObject(node, key, rest, op) {
  const adding = rest.length === 0 && op.op === "add";
  if (!adding && !Object.hasOwn(node, key)) throw new RangeError(`no such member: ${op.path}`);
  const entries = new Map(Object.entries(node));
  if (rest.length === 0 && op.op === "remove") entries.delete(key);
  else entries.set(key, change(node[key], rest, op));
  // By way of entries, so that a member called `__proto__` is only a member.
  return Object.fromEntries(entries);
}
