// Parts of the document.  Every text becomes a text node: what a store holds is never markup.

const SVG = "http://www.w3.org/2000/svg";
const COLOURS = ["default", "c0", "c1", "c2", "c5", "c4", "c6", "c7", "c8", "c9"];
export const GREY = { colour: "var(--quiet)", dash: "" };
const DASHES = ["", "7 4", "2 3.5"];

export function find(id) { return document.getElementById(id); }

export function made(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.setAttribute("class", value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "look") coloured(element, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// The look of the n-th curve: colours first, then the same ones dashed.
export function look(n) {
  return { colour: `var(--${COLOURS[n % COLOURS.length]})`, dash: DASHES[Math.floor(n / COLOURS.length) % DASHES.length] };
}

export function coloured(element, { colour, dash }) {
  element.style.setProperty("--own", colour);
  if (dash) element.style.setProperty("stroke-dasharray", dash);
}

// A short line that looks as its curve does.
export function swatch(how) {
  const line = drawn("line", { x1: 1, y1: 6, x2: 25, y2: 6, class: "own", look: how });
  return drawn("svg", { class: "swatch", viewBox: "0 0 26 12", "aria-hidden": "true" }, line);
}

export function replace(element, ...children) { element.replaceChildren(...children); }
