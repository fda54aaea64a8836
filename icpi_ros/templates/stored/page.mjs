// The page: asks for news, keeps the choice in the address, and has it shown.

import { FACETS, MAX_CHOSEN, MAX_FAINT, counted, derived, filters, grouping, matcher, millimetres, nothing, ordered, plural, quantile, read, thinned, written } from "./choice.mjs";
import { draw, highlight, light } from "./curves.mjs";
import { GREY, find, look, made, replace, swatch } from "./parts.mjs";
import { compare, heads, show } from "./table.mjs";

const EVERY = 1000, HIDDEN = 5000, TIMEOUT = 10000; // [ms]
const runs = new Map(), settings = new Map(), slots = new Map(), pending = new Set();
let choice = read(location.hash), version = 0, store = { there: true, store: "", trouble: "", left: 0 }, loaded = false;
let waiting = false, behind = false, heard = "";

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function poll() {
  try {
    const news = await ask(`news?since=${version}`);
    heard = new Date().toLocaleTimeString();
    take(news);
    connected("");
  } catch {
    store = { ...store, left: 0 };
    connected(`Not connected: what is shown is of ${heard || "never"}. Is the command still there?`);
  }
  setTimeout(poll, store.left ? 0 : document.hidden ? HIDDEN : EVERY);
}

function take(news) {
  const changed = behind || !loaded || news.runs.length || news.gone.length || news.trouble !== store.trouble || news.there !== store.there;
  behind = loaded && !news.whole && news.left > 0; // the first part is shown at once, the others together
  if (news.whole) runs.clear();
  for (const run of news.runs) { runs.set(run.id, derived(run)); settings.delete(run.id); }
  for (const id of news.gone) runs.delete(id);
  [version, store, loaded] = [news.version, news, true];
  if (changed && !behind) soon();
}

function connected(line) {
  find("live").textContent = line ? "not connected" : store.left ? `${plural(store.left, "run")} to come` : "live";
  find("live").classList.toggle("off", Boolean(line));
  const trouble = line || (store.trouble ? `${store.trouble}. ${runs.size ? "Shown is what was read before." : ""}` : "");
  find("trouble").textContent = trouble;
  find("trouble").hidden = !trouble;
}

function soon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; render(); });
}

function change(more) {
  choice = { ...choice, ...more };
  history.replaceState(null, "", `#${written(choice)}`);
  soon();
}

function choose(id) {
  const chosen = choice.chosen.includes(id) ? choice.chosen.filter((one) => one !== id) : [...choice.chosen, id];
  change({ chosen: chosen.slice(0, MAX_CHOSEN) });
}

// The look of each chosen run, kept while it is chosen.
function looks() {
  for (const id of slots.keys()) if (!choice.chosen.includes(id)) slots.delete(id);
  for (const id of choice.chosen) {
    const taken = new Set(slots.values());
    if (!slots.has(id)) slots.set(id, choice.chosen.findIndex((_, n) => !taken.has(n)));
  }
  return new Map([...slots].map(([id, slot]) => [id, look(slot)]));
}

function render() {
  const every = [...runs.values()], fitting = every.filter(matcher(choice)), how = looks();
  const others = fitting.filter((run) => !how.has(run.id));
  const chosen = choice.chosen.filter((id) => runs.has(id)).map((id) => ({ run: runs.get(id), how: how.get(id) }));
  const by = fitting.length ? grouping(fitting, choice) : "improver";
  const names = [...new Set(every.map((run) => run[by]))].sort((a, b) => (b === "embedded") - (a === "embedded") || a.localeCompare(b));
  const groups = names.map((name, n) => ({ name, how: look(n), runs: fitting.filter((run) => run[by] === name) })).filter((group) => group.runs.length);
  find("where").textContent = store.store;
  find("verdict").textContent = verdict(every, fitting, chosen);
  bar(every);
  find("group").value = choice.group;
  find("group").disabled = chosen.length > 0;
  for (const button of find("curves").querySelectorAll("input")) button.checked = button.value === choice.curve;
  const bare = !fitting.some((run) => run.points.length) && !chosen.some(({ run }) => run.points.length);
  find("picture").hidden = bare;
  if (!bare) {
    draw({
      choice, chosen, pick: choose, groups: chosen.length ? [] : groups,
      faint: thinned(chosen.length ? [{ runs: others, how: GREY }] : groups),
    });
    legend(groups, by, chosen, others.length);
  }
  asked(chosen);
  find("runs").hidden = !every.length;
  find("filters").hidden = !every.length && !filters(choice);
  find("clear").hidden = !filters(choice);
  find("none").hidden = !every.length || fitting.length > 0;
  find("count").textContent = `${plural(fitting.length, "run")}${fitting.length < every.length ? ` of ${every.length.toLocaleString("en")}` : ""}`;
  const room = chosen.length + others.length <= MAX_CHOSEN;
  find("all").hidden = !others.length || !room;
  find("all").textContent = `choose all ${chosen.length + others.length}`;
  find("all").onclick = () => change({ chosen: [...choice.chosen, ...ordered(others, choice).map((run) => run.id)] });
  find("unchoose").hidden = !choice.chosen.length;
  heads(choice, change);
  show(ordered(fitting, choice), how, choose, highlight);
}

function verdict(every, fitting, chosen) {
  if (!loaded) return "Reading the store ...";
  if (!every.length && store.trouble) return "";
  if (!store.there && !every.length) return "There is no store yet: the first run makes it, and appears here.";
  if (!every.length) return "The store is empty: the first run appears here.";
  if (!fitting.length && !chosen.length) return "No run fits the filters.";
  const among = chosen.length ? chosen.map(({ run }) => run) : fitting;
  const best = among.reduce((low, run) => (run.best !== null && (low === null || run.best < low.best) ? run : low), null);
  const what = chosen.length ? plural(chosen.length, "chosen run") : plural(fitting.length, "run");
  if (!best) return `${what}: no trial was observed.`;
  return `${what}. Closest: ${millimetres(best.best)} in trial ${best.bestTrial}, ${best.improver} on ${best.task}.`;
}

function bar(every) {
  for (const name of FACETS) {
    const box = find(`facet-${name}`), wanted = choice.facets[name];
    box.querySelector("summary span").textContent = wanted.size ? [...wanted].map((value) => value || "-").join(", ") : "all";
    box.classList.toggle("on", wanted.size > 0);
    const list = box.querySelector("div"), values = counted(every, choice, name), text = JSON.stringify(values);
    box.hidden = name === "options" && values.length < 2 && !wanted.size;
    if (list.dataset.values !== text) {
      const focus = list.contains(document.activeElement) ? document.activeElement.value : null;
      replace(list, ...values.map(([value, count]) => facet(name, value, count)));
      list.dataset.values = text;
      if (focus !== null) [...list.querySelectorAll("input")].find((input) => input.value === focus)?.focus();
    }
    for (const input of list.querySelectorAll("input")) input.checked = wanted.has(input.value);
  }
  for (const name of ["from", "to"]) {
    const input = find(name);
    input.type = choice[name].length > 10 ? "datetime-local" : "date";
    if (document.activeElement !== input) input.value = choice[name];
  }
  if (document.activeElement !== find("text")) find("text").value = choice.text;
  const active = filters(choice);
  find("active").textContent = active ? `(${active})` : "";
}

function facet(name, value, count) {
  const input = made("input", { type: "checkbox", value });
  input.addEventListener("change", () => {
    const wanted = new Set(choice.facets[name]);
    if (input.checked) wanted.add(value); else wanted.delete(value);
    change({ facets: { ...choice.facets, [name]: wanted } });
  });
  return made("label", { class: count ? "" : "quiet" }, input, ` ${value || "-"} `, made("small", {}, count.toLocaleString("en")));
}

function legend(groups, by, chosen, others) {
  const list = find("legend");
  if (!chosen.length) {
    const ranked = groups.map((group) => {
      const bests = group.runs.map((run) => run.best).filter((cost) => cost !== null).sort((a, b) => a - b);
      return { ...group, median: bests.length ? quantile(bests, 0.5) : null };
    });
    ranked.sort((a, b) => (a.median === null) - (b.median === null) || a.median - b.median);
    const entries = ranked.map(({ name, how, runs: members, median }) => {
      const press = () => change({ facets: { ...choice.facets, [by]: new Set(choice.facets[by].has(name) && choice.facets[by].size === 1 ? [] : [name]) } });
      const low = median === null ? "no trial observed" : `median best ${millimetres(median)}`;
      const hover = { onpointerenter: () => light(name), onpointerleave: () => light(null) };
      return made("li", hover, made("button", { type: "button", onclick: press, title: `only ${name}` }, swatch(how), made("b", {}, name || "-"),
        made("small", {}, `${plural(members.length, "run")}, ${low}`)));
    });
    replace(list, ...entries);
    const among = groups.reduce((sum, group) => sum + group.runs.length, 0);
    const tasks = new Set(groups.flatMap((group) => group.runs.map((run) => run.task))).size;
    const mixed = by !== "task" && tasks > 1 ? `The runs are of ${tasks} tasks: choose one to compare what is left. ` : "";
    const fewer = among > MAX_FAINT && `${MAX_FAINT.toLocaleString("en")} of the runs`;
    find("hint").textContent = `${mixed}Bold: median of the group; shaded: its quartiles, from four runs on; thin: ${fewer || "every run"}. Tick runs in the table, or click a curve, to compare them one by one.`;
    return;
  }
  replace(list, ...chosen.map(({ run, how }) => made("li", { onpointerenter: () => light(run.id), onpointerleave: () => light(null) }, swatch(how),
    made("b", {}, `${run.improver} on ${run.task}`), made("b", { class: "low" }, millimetres(run.best)),
    made("small", {}, `${run.points.length}/${run.budget} trials, seed ${run.seed}, ${run.created.slice(0, 16).replace("T", " ")}`),
    made("span", { class: "ways" },
      made("a", { href: `run?id=${encodeURIComponent(run.id)}`, target: "_blank", rel: "noopener" }, "report"),
      made("button", { type: "button", onclick: (event) => copied(event.currentTarget, `icpi view ${run.id}`), title: `icpi view ${run.id}` }, "copy icpi view"),
      made("button", { type: "button", onclick: () => choose(run.id), "aria-label": `leave ${run.id} out` }, "\u00d7")))));
  const signs = [
    [chosen.length >= MAX_CHOSEN, `At most ${MAX_CHOSEN} runs are compared one by one.`],
    [others > 0, `Grey: ${others > MAX_FAINT ? `${MAX_FAINT.toLocaleString("en")} of ` : ""}the other runs that fit the filters.`],
    [chosen.some(({ run }) => run.lost.length), "\u00d7: a trial without a cost."],
    [chosen.some(({ run }) => run.running !== null), "\u25cb: a trial under way."],
  ];
  find("hint").textContent = signs.filter(([there]) => there).map(([, text]) => text).join(" ");
}

async function copied(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    button.textContent = text; // no clipboard without TLS from another machine
  }
}

// Show the settings that are known, and ask for those that are not.
function asked(chosen) {
  compare(chosen, settings);
  const missing = chosen.length < 2 ? [] : chosen.map(({ run }) => run.id).filter((id) => !settings.has(id) && !pending.has(id));
  if (!missing.length) return;
  for (const id of missing) pending.add(id);
  const words = new URLSearchParams(missing.map((id) => ["run", id]));
  ask(`settings?${words}`).then((found) => {
    for (const id of missing) settings.set(id, found[id]);
    soon();
  }, () => {}).finally(() => { for (const id of missing) pending.delete(id); }); // the next news asks again
}

function prepare() {
  for (const name of ["from", "to"]) find(name).addEventListener("change", (event) => change({ [name]: event.target.value }));
  find("text").addEventListener("input", (event) => change({ text: event.target.value }));
  find("group").addEventListener("change", (event) => change({ group: event.target.value }));
  find("curves").addEventListener("change", (event) => change({ curve: event.target.value }));
  find("unchoose").addEventListener("click", () => change({ chosen: [] }));
  find("clear").addEventListener("click", () => change({ ...nothing(), chosen: choice.chosen, sort: choice.sort, down: choice.down, curve: choice.curve, group: choice.group }));
  addEventListener("hashchange", () => { choice = read(location.hash); soon(); });
  document.addEventListener("visibilitychange", () => soon());
  const boxes = [...document.querySelectorAll("details.facet")];
  document.addEventListener("click", (event) => { for (const box of boxes) if (!box.contains(event.target)) box.open = false; });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") for (const box of boxes) box.open = false; });
  const narrow = matchMedia("(max-width: 700px)"), fold = () => { find("filters").open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
  new ResizeObserver(soon).observe(find("figure"));
}

prepare();
poll();
