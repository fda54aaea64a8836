// The table of runs, a row made once per state of its run, and the table of settings that differ.

import { MAX_CHOSEN, brief, differing, millimetres, plural } from "./choice.mjs";
import { drawn, find, made, replace, swatch } from "./parts.mjs";

const PAGE = 100;
const COLUMNS = [
  ["id", "run"], ["created", "began (UTC)"], ["task", "task"], ["improver", "improver"], ["best", "best cost"],
  ["", "curve"], ["first", "first cost"], ["trials", "trials"], ["state", "how it ended"],
  ["arm", "arm"], ["backend", "backend"], ["goal", "goal"],
];
const rows = new Map(); // id: {run, colour, row}
let most = PAGE;

export function heads(choice, changed) {
  const chosen = made("th", { scope: "col", class: "text" }, made("span", { class: "unseen" }, "compare"));
  const cells = COLUMNS.map(([key, text]) => {
    const kind = ["trials", "first", "best"].includes(key) ? "num" : "text";
    if (!key) return made("th", { scope: "col", class: kind }, text);
    const sort = choice.sort === key ? (choice.down ? "descending" : "ascending") : null;
    const press = () => changed(choice.sort === key ? { down: !choice.down } : { sort: key, down: ["created", "trials"].includes(key) });
    return made("th", { scope: "col", class: kind, "aria-sort": sort }, made("button", { type: "button", onclick: press }, text));
  });
  replace(find("heads"), chosen, ...cells);
  const select = find("sort");
  if (!select.options.length) {
    for (const [key, text] of COLUMNS) if (key) for (const [sign, way] of [["", "up"], ["-", "down"]]) select.append(made("option", { value: sign + key }, `${text}, ${way}`));
  }
  select.value = (choice.down ? "-" : "") + choice.sort;
  select.onchange = () => changed({ sort: select.value.replace(/^-/, ""), down: select.value.startsWith("-") });
}

// Show runs in order; `looks` has the look of each chosen run by id.
export function show(runs, looks, choose, highlight) {
  const body = find("rows"), shown = runs.slice(0, most), kept = new Set(shown.map((run) => run.id));
  const wanted = shown.map((run) => {
    const how = looks.get(run.id) || null, known = rows.get(run.id), colour = how && how.colour + how.dash;
    if (known && known.run === run && known.colour === colour) return known.row;
    const row = rowOf(run, how, choose, highlight);
    if (known) {
      row.classList.toggle("fresh", known.run !== run);
      const focus = known.row.contains(document.activeElement) && document.activeElement.dataset.part;
      known.row.replaceWith(row);
      if (focus) row.querySelector(`[data-part=${focus}]`).focus();
    }
    rows.set(run.id, { run, colour, row });
    return row;
  });
  wanted.forEach((row, n) => {
    const box = row.querySelector("input");
    box.checked = looks.has(shown[n].id);
    box.disabled = !box.checked && looks.size >= MAX_CHOSEN;
  });
  for (const id of rows.keys()) if (!kept.has(id)) rows.delete(id);
  const there = [...body.children];
  if (there.length !== wanted.length || there.some((row, n) => row !== wanted[n])) replace(body, ...wanted);
  const more = runs.length - shown.length;
  find("more").hidden = more <= 0;
  find("more").textContent = `show ${Math.min(PAGE, more)} more of ${more.toLocaleString("en")}`;
  find("more").onclick = () => { most += PAGE; show(runs, looks, choose, highlight); };
}

function rowOf(run, how, choose, highlight) {
  const box = made("input", { type: "checkbox", "data-part": "choose", "aria-label": `compare ${run.id}`, onchange: () => choose(run.id) });
  box.checked = Boolean(how);
  const link = made("a", { href: `run?id=${encodeURIComponent(run.id)}`, target: "_blank", rel: "noopener", "data-part": "open", title: "open its report" }, run.id);
  const cell = (name, kind, ...inside) => made("td", { class: `${kind} at-${name}` }, ...inside);
  const press = (event) => { // anywhere in the row, but not on what is pressed itself
    if (!event.target.closest("a, label") && getSelection().isCollapsed) choose(run.id);
  };
  const hover = { onpointerenter: () => highlight(run), onpointerleave: () => highlight(null), onclick: press };
  return made("tr", { class: how ? "chosen" : "", look: how || { colour: "transparent" }, ...hover },
    cell("choose", "text", made("label", {}, box)),
    made("th", { scope: "row", class: "text at-id" }, link),
    cell("created", "text", run.created.slice(0, 16).replace("T", " ")),
    cell("task", "text", run.task), cell("improver", "text", named(run.improver, run.options)),
    cell("best", "num", made("b", {}, millimetres(run.best))), cell("spark", "text", spark(run)),
    cell("first", "num", millimetres(run.first)), cell("trials", "num", `${run.points.length}/${run.budget}`),
    cell("state", "text long", ...ending(run)),
    cell("arm", "text", run.arm), cell("backend", "text", run.backend.replaceAll("_", " ")),
    cell("goal", "text", named(run.goal, run.goal_text)));
}

function named(text, title) { return made("span", { title: title || null }, text || "-"); }

function spark(run) {
  const points = run.lowest, wide = 84, high = 22;
  const svg = drawn("svg", { class: "spark", viewBox: `0 0 ${wide} ${high}`, "aria-hidden": "true" });
  if (points.length < 2) return svg;
  const logs = points.map(([, cost]) => Math.log10(Math.max(cost, 1e-6)));
  const top = Math.max(...logs), span = Math.max(top - Math.min(...logs), 0.3), last = Math.max(Number(run.budget) - 1 || 1, points.at(-1)[0]);
  const place = (n) => `${(2 + ((wide - 6) * points[n][0]) / last).toFixed(1)} ${(3 + ((high - 6) * (top - logs[n])) / span).toFixed(1)}`;
  const end = place(points.length - 1).split(" ");
  svg.append(drawn("path", { d: `M${points.map((_, n) => place(n)).join("L")}` }), drawn("circle", { cx: end[0], cy: end[1], r: 2.2 }));
  return svg;
}

function ending(run) {
  const state = run.state.replace(" ", "-"), parts = [made("span", { class: `state ${state}` }, run.state)];
  const notes = [];
  if (run.state === "open") notes.push("no process writes it; icpi run --resume goes on");
  if (run.state === "under way") notes.push(run.running === null ? `last news ${run.latest.slice(11, 19)}` : `trial ${run.running} is running`);
  if (run.note) notes.push(run.note);
  if (run.lost.length) notes.push(`${plural(run.lost.length, "trial")} without a cost`);
  if (run.replaced) notes.push(`${plural(run.replaced, "proposal")} fell back`);
  if (run.mixed) notes.push(`mixed on purpose: ${run.mixed}`);
  if (run.damage) notes.push(`its ${run.damage} cannot be read`);
  if (notes.length) parts.push(made("small", { title: notes.join("; ") }, ` ${notes.join("; ")}`));
  return parts;
}

// Settings that differ between chosen runs; `settings` has those of each by id, a text is what went wrong.
export function compare(chosen, settings) {
  const box = find("differ"), note = find("differ-note"), known = chosen.filter(({ run }) => typeof settings.get(run.id) === "object");
  const failed = chosen.filter(({ run }) => typeof settings.get(run.id) === "string").map(({ run }) => settings.get(run.id));
  find("compared").hidden = chosen.length < 2;
  if (chosen.length < 2) return;
  const { rows: found, same } = differing(known.map(({ run }) => settings.get(run.id)));
  const lines = known.length < 2 ? [] : [found.length ? `${plural(same, "other setting")} ${same === 1 ? "is" : "are"} the same in all of them.` : `All ${same} settings are the same.`];
  note.textContent = [...lines, ...failed].join(" ");
  const head = made("tr", {}, made("th", { scope: "col", class: "text" }, "setting"), ...known.map(({ run, how }) =>
    made("th", { scope: "col", class: "text", title: run.id }, swatch(how), ` ${run.improver} `, made("small", {}, run.id.slice(-4)))));
  const body = found.map(([name, values]) => made("tr", {}, made("th", { scope: "row", class: "text" }, name),
    ...brief(values).map((value) => made("td", { class: "text long" }, value === null || value === "" ? "-" : value))));
  replace(box, made("thead", {}, head), made("tbody", {}, ...body));
  box.hidden = !found.length;
}
