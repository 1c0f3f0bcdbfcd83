// Building elements from data without ever parsing data as markup.

/** Return an element; strings become text nodes, `null` and `false` children are left out. */
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
    else if (name === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
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

/**
 * Put new children into a box. A child with the data-same of one that is there already leaves that one in its place, so that
 * a finger on a button finds it still there; what had the focus (by its data-key) has it again.
 */
export function refill(box, ...children) {
  const key = box.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const at = box.scrollTop;
  const there = new Map([...box.children].filter((child) => child.dataset.same).map((child) => [child.dataset.same, child]));
  const wanted = children.filter(Boolean).map((child) => (typeof child === "string" ? document.createTextNode(child) : there.get(child.dataset.same) ?? child));
  const kept = new Set(wanted);
  for (const child of [...box.childNodes]) if (!kept.has(child)) child.remove();
  wanted.forEach((child, place) => { if (box.childNodes[place] !== child) box.insertBefore(child, box.childNodes[place] ?? null); });
  box.scrollTop = at;
  if (key !== undefined && !box.contains(document.activeElement)) box.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** Set text only when it differs, so that an unchanged screen costs no layout. */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/** One rem in CSS pixels: canvases scale with the page. */
export const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
