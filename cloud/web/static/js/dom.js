// Building elements from data without ever parsing data as markup.

/** Return an element; strings become text nodes, `null` and `false` children are left out. `click` is what a click does. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  set(node, props);
  node.append(...children.flat().filter((child) => child !== null && child !== false && child !== undefined));
  return node;
}

function set(node, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "click") node.onclick = value;
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const byId = (id) => document.getElementById(id);

const TYPED_INTO = ["INPUT", "SELECT", "TEXTAREA", "FORM"]; // these are taken as they come, never changed into one another
const nameOf = (node) => node.dataset?.key ?? node.dataset?.id;

/**
 * Make the children of a box what they should be now. What is there already is changed, not replaced, so that a finger on a
 * button finds it still there; a child with a data-key or data-id is known by it wherever it stands in the box.
 */
export function refill(box, ...children) {
  const key = box.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const at = box.scrollTop;
  lay(box, children.filter(Boolean).map((child) => (typeof child === "string" ? document.createTextNode(child) : child)));
  box.scrollTop = at;
  if (key !== undefined && !box.contains(document.activeElement)) box.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

function lay(box, wanted) {
  const named = new Map([...box.children].map((child) => [nameOf(child), child]));
  const names = new Set(wanted.map(nameOf));
  for (const [name, child] of named) if (!names.has(name)) child.remove();
  const taken = new Set();
  let at = box.firstChild;
  for (const child of wanted) {
    const there = child.parentNode === box ? child : nameOf(child) === undefined ? at : named.get(nameOf(child));
    const stays = there && !taken.has(there) && (there === child || alike(there, child));
    if (stays && there !== child) become(there, child);
    const node = stays ? there : child;
    taken.add(node);
    if (at && at.nextSibling === node) { // what stood before it goes, or comes later: rather that moves than all that follow
      box.append(at);
      at = node;
    }
    if (node === at) at = at.nextSibling;
    else box.insertBefore(node, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

const alike = (one, other) => one.nodeName === other.nodeName && nameOf(one) === nameOf(other) && one.dataset?.mark === other.dataset?.mark && !TYPED_INTO.includes(one.nodeName);

function become(there, wanted) {
  if (there.nodeType === Node.TEXT_NODE) return text(there, wanted.data);
  for (const { name } of [...there.attributes]) if (!wanted.hasAttribute(name)) there.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (there.getAttribute(name) !== value) there.setAttribute(name, value);
  there.onclick = wanted.onclick;
  return lay(there, [...wanted.childNodes]);
}

/** Set text only when it differs, so that an unchanged screen costs no layout. */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/** One rem in CSS pixels: canvases scale with the page. */
export const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
