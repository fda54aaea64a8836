// The figure: cost over trials of many runs, on a log scale; groups as medians, chosen runs one by one.

import { curve, middle, millimetres } from "./choice.mjs";
import { GREY, drawn, find, made, replace } from "./parts.mjs";

const LEAST = 1e-6; // [m]: what is closer is drawn there
const NEAR = 40; // [px]: farthest pointer that still means a point
const BAND = 4; // runs from which on quartiles mean something
const MARGIN = { top: 14, right: 16, bottom: 40, left: 68 };

let last = null; // what is drawn: {seen, scale, over, svg}

// Draw runs; `seen` is {choice, faint: [{runs, how}], groups: [{runs, how}], chosen: [{run, how}], pick}.
export function draw(seen) {
  const box = find("figure"), width = Math.max(280, box.clientWidth);
  const height = Math.round(Math.min(520, Math.max(280, width * (width < 600 ? 0.82 : 0.5))));
  const medians = seen.groups.map((group) => ({ ...group, points: middle(group.runs, seen.choice) }));
  const scale = scaled(seen, medians, width, height);
  const parts = [...axes(scale), target(seen, scale)].filter(Boolean);
  for (const { runs, how } of seen.faint) parts.push(faint(runs, how, seen, scale));
  for (const { name, points, runs, how } of medians) parts.push(drawn("g", { class: "one", "data-name": name }, ...band(points, runs.length, how, scale)));
  for (const { run, how } of seen.chosen) parts.push(drawn("g", { class: "one", "data-name": run.id }, ...own(run, how, seen, scale)));
  const over = drawn("g", { class: "over" });
  const label = `cost in millimetres over trials, ${seen.groups.length || seen.chosen.length} curves; arrow keys read the points`;
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, ...parts, over);
  replace(find("plot"), svg);
  last = { seen, scale, over, svg };
  pointed(seen, scale, svg, over);
}

// Let one curve, a median or a chosen run, stand out by its name; null = none.
export function light(name) {
  last.svg.classList.toggle("lit", name !== null);
  for (const part of last.svg.querySelectorAll(".one")) part.classList.toggle("here", part.dataset.name === name);
}

// Draw the curve of one run above all others; null = none.
export function highlight(run) {
  if (last) replace(last.over, ...(run ? raised(run, lookOf(run, last.seen), last.seen, last.scale) : []));
}

function lookOf(run, seen) {
  const found = seen.chosen.find((one) => one.run === run) || seen.groups.find((one) => one.runs.includes(run));
  return found ? found.how : GREY;
}

function raised(run, how, seen, scale) {
  const d = path(curve(run, seen.choice), scale), line = drawn("path", { class: "curve own", d });
  line.style.setProperty("--own", how.colour);
  return [drawn("path", { class: "casing", d }), line];
}

function scaled(seen, medians, width, height) {
  const runs = [...seen.faint.flatMap((one) => one.runs), ...seen.chosen.map((one) => one.run)];
  let low = Infinity, high = -Infinity, last = 1;
  for (const run of runs) {
    for (const [number, cost] of curve(run, seen.choice)) {
      const value = Math.max(cost, LEAST);
      if (value < low) low = value;
      if (value > high) high = value;
      if (number > last) last = number;
    }
    for (const number of [...run.lost, run.running || 0]) if (number > last) last = number;
  }
  if (!(low <= high)) [low, high] = [1e-3, 0.3];
  const [bottom, top] = [Math.log10(low / 1.35), Math.log10(high * 1.35)];
  const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
  return {
    width, height, last, low: 10 ** bottom, high: 10 ** top,
    x: (number) => MARGIN.left + (inner.width * number) / last,
    y: (cost) => MARGIN.top + inner.height * (1 - (Math.log10(Math.max(cost, LEAST)) - bottom) / (top - bottom)),
  };
}

function axes(scale) {
  const parts = [], right = scale.width - MARGIN.right, foot = scale.height - MARGIN.bottom;
  for (const value of costTicks(scale)) {
    const y = scale.y(value);
    parts.push(drawn("line", { x1: MARGIN.left, x2: right, y1: y, y2: y, class: "grid" }));
    parts.push(drawn("text", { x: MARGIN.left - 8, y: y + 4, class: "tick end" }, shortly(value)));
  }
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((each) => scale.last / each <= scale.width / 62) || Math.ceil(scale.last / 8);
  for (let number = 0; number <= scale.last; number += step) {
    const x = scale.x(number);
    parts.push(drawn("line", { x1: x, x2: x, y1: foot, y2: foot + 4, class: "grid" }));
    parts.push(drawn("text", { x, y: foot + 18, class: "tick centre" }, String(number)));
  }
  parts.push(drawn("line", { x1: MARGIN.left, x2: right, y1: foot, y2: foot, class: "axis" }));
  parts.push(drawn("text", { x: right, y: foot + 34, class: "tick end" }, "trial"));
  return parts;
}

function costTicks(scale) {
  const first = Math.floor(Math.log10(scale.low)), end = Math.ceil(Math.log10(scale.high));
  const inside = (marks) => {
    const found = [];
    for (let power = first; power <= end; power += 1) for (const mark of marks) found.push(mark * 10 ** power);
    return found.filter((value) => value >= scale.low && value <= scale.high);
  };
  const fine = inside([1, 2, 5]), powers = inside([1]);
  return fine.length <= 9 ? fine : powers.filter((_, index) => index % Math.ceil(powers.length / 9) === 0);
}

function shortly(metres) { return `${Number((1000 * metres).toPrecision(3))} mm`; }

function target(seen, scale) {
  const runs = seen.chosen.length ? seen.chosen.map((one) => one.run) : seen.faint.flatMap((one) => one.runs);
  const cost = runs.length ? runs[0].target : 0;
  if (!cost || cost < scale.low || cost > scale.high || runs.some((run) => run.target !== cost)) return null;
  const y = scale.y(cost), right = scale.width - MARGIN.right;
  return drawn("g", { class: "target" },
    drawn("line", { x1: MARGIN.left, x2: right, y1: y, y2: y }),
    drawn("text", { x: right, y: y - 5, class: "tick end" }, `target ${millimetres(cost)}`));
}

function path(points, scale) {
  return points.map(([number, cost], n) => `${n ? "L" : "M"}${scale.x(number).toFixed(1)} ${scale.y(cost).toFixed(1)}`).join("");
}

// Curves of many runs are one path: a thousand elements are slow, a long path is not.
function faint(runs, how, seen, scale) {
  const line = drawn("path", { class: "faint own", d: runs.map((run) => path(curve(run, seen.choice), scale)).join("") });
  line.style.setProperty("--own", how.colour);
  line.style.setProperty("stroke-opacity", String(Math.min(0.5, Math.max(0.05, 6 / Math.max(1, runs.length)))));
  return line;
}

function band(points, count, how, scale) {
  const high = points.map(([number, , , cost]) => [number, cost]);
  const low = points.map(([number, cost]) => [number, cost]).reverse();
  const middles = points.map(([number, , cost]) => [number, cost]);
  const area = drawn("path", { class: "band own", d: `${path([...high, ...low], scale)}Z` });
  area.style.setProperty("--own", how.colour);
  const line = drawn("path", { class: "median own", d: path(middles, scale), look: how });
  return [...(count < BAND ? [] : [area]), line, ...dots(middles, how, scale, 3)];
}

function dots(points, how, scale, r) {
  return points.map(([number, cost]) => {
    const dot = drawn("circle", { class: "dot own", cx: scale.x(number), cy: scale.y(cost), r });
    dot.style.setProperty("--own", how.colour);
    return dot;
  });
}

function own(run, how, seen, scale) {
  const points = curve(run, seen.choice);
  const parts = [drawn("path", { class: "curve own", d: path(points, scale), look: how }), ...dots(points, how, scale, 3.6)];
  const mark = (number, kind, text) => {
    const sign = drawn("text", { class: `${kind} own`, x: scale.x(number), y: MARGIN.top + 9 }, text);
    sign.style.setProperty("--own", how.colour);
    parts.push(sign);
  };
  for (const number of run.lost) mark(number, "lost", "\u00d7");
  if (run.running !== null) mark(run.running, "running", "\u25cb");
  return parts;
}

// What stands at each drawn point, and what shows it: a pointer, a tap, the arrow keys.
function pointed(seen, scale, svg, over) {
  const spots = [];
  const add = (run, how, chosen) => curve(run, seen.choice).forEach(([number, cost], index) =>
    spots.push({ x: scale.x(number), y: scale.y(cost), run, how, chosen, number, cost: run.points[index][1], low: run.lowest[index][1] }));
  seen.chosen.forEach(({ run, how }) => add(run, how, true));
  seen.faint.forEach(({ runs, how }) => runs.forEach((run) => add(run, how, false)));
  const tip = find("tip");
  let at = null, tapped = null, touch = false;
  const hide = () => { at = null; tip.hidden = true; replace(over); };
  const show = (spot) => {
    at = spot;
    const ring = drawn("circle", { class: "ring own", cx: spot.x, cy: spot.y, r: 6.5 });
    ring.style.setProperty("--own", spot.how.colour);
    replace(over, ...raised(spot.run, spot.how, seen, scale), ring);
    const more = spot.cost !== spot.low ? `, best so far ${millimetres(spot.low)}` : "";
    replace(tip,
      made("b", {}, `trial ${spot.number}: ${millimetres(spot.cost)}${more}`),
      made("span", {}, `${spot.run.improver} on ${spot.run.task}, ${spot.run.state}`),
      made("span", {}, spot.run.id),
      made("i", {}, `${touch ? "another tap" : "a click"} ${spot.chosen ? "leaves it out" : "compares it"}`));
    tip.hidden = false;
    const share = svg.clientWidth / scale.width, side = spot.x > scale.width / 2 ? "right" : "left";
    tip.style.left = side === "left" ? `${spot.x * share + 14}px` : "auto";
    tip.style.right = side === "right" ? `${(scale.width - spot.x) * share + 14}px` : "auto";
    const above = spot.y * share - tip.offsetHeight - 12;
    tip.style.top = `${above > 0 ? above : spot.y * share + 14}px`;
  };
  const nearest = (event) => {
    const place = svg.getBoundingClientRect(), share = scale.width / place.width;
    const x = (event.clientX - place.left) * share, y = (event.clientY - place.top) * share;
    let found = null, least = NEAR * NEAR;
    for (const spot of spots) {
      const away = ((spot.x - x) ** 2 + (spot.y - y) ** 2) * (spot.chosen ? 0.2 : 1);
      if (away < least) [found, least] = [spot, away];
    }
    return found;
  };
  const keys = (event) => {
    const side = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Escape") hide();
    if (event.key === "Enter" && at) seen.pick(at.run.id);
    if (!side || !spots.length) return;
    event.preventDefault();
    show(at ? beside(spots, at, side) : spots[0]);
  };
  const point = (event) => { const spot = nearest(event); if (spot) show(spot); else hide(); };
  svg.addEventListener("pointermove", (event) => { touch = event.pointerType !== "mouse"; point(event); });
  svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
  svg.addEventListener("pointerdown", (event) => { // a finger reads first, and chooses when it comes back
    touch = event.pointerType !== "mouse";
    tapped = touch ? at : null;
    if (touch) point(event);
  });
  svg.addEventListener("click", () => { if (at && (!touch || at === tapped)) seen.pick(at.run.id); });
  find("plot").onkeydown = keys;
  find("plot").onblur = hide;
  hide();
}

// The point beside one: along its run, or up and down at the same trial.
function beside(spots, at, [along, down]) {
  const others = spots.filter((spot) => (along ? spot.run === at.run : spot.number === at.number));
  const place = (spot) => (along ? spot.number : spot.y);
  others.sort((a, b) => place(a) - place(b));
  return others[Math.max(0, Math.min(others.length - 1, others.indexOf(at) + along + down))];
}
