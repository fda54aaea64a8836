// What is looked at: filters, order and chosen runs, as they stand in the page's address; no document.

export const FACETS = ["task", "arm", "backend", "improver", "options", "state"];
export const GROUPS = ["improver", "task", "arm", "backend", "options", "state"];
export const MAX_CHOSEN = 24;
export const MAX_FAINT = 1500; // thin curves of a figure: more make it slow, and none can be told apart
const collator = new Intl.Collator("en", { numeric: true });
const TEXTS = ["id", "task", "arm", "backend", "improver", "goal", "goal_text", "options", "state", "note", "damage", "mixed"];
const SORTS = {
  id: (run) => run.id, created: (run) => run.created, task: (run) => run.task, arm: (run) => run.arm,
  backend: (run) => run.backend, improver: (run) => run.improver, goal: (run) => run.goal,
  trials: (run) => run.points.length, first: (run) => run.first, best: (run) => run.best,
  state: (run) => run.state,
};

export function nothing() {
  const facets = Object.fromEntries(FACETS.map((name) => [name, new Set()]));
  return { facets, from: "", to: "", text: "", sort: "created", down: true, group: "", curve: "best", chosen: [] };
}

export function read(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, "")), choice = nothing();
  for (const name of FACETS) choice.facets[name] = new Set(words.getAll(name));
  for (const name of ["from", "to", "text"]) choice[name] = words.get(name) || "";
  const sort = words.get("sort") || "-created", key = sort.replace(/^-/, "");
  if (Object.hasOwn(SORTS, key)) [choice.sort, choice.down] = [key, sort.startsWith("-")];
  if (GROUPS.includes(words.get("group"))) choice.group = words.get("group");
  if (words.get("curve") === "each") choice.curve = "each";
  choice.chosen = [...new Set(words.getAll("run"))].slice(0, MAX_CHOSEN);
  return choice;
}

export function written(choice) {
  const words = new URLSearchParams();
  for (const name of FACETS) for (const value of choice.facets[name]) words.append(name, value);
  for (const name of ["from", "to", "text", "group"]) if (choice[name]) words.set(name, choice[name]);
  if (choice.sort !== "created" || !choice.down) words.set("sort", (choice.down ? "-" : "") + choice.sort);
  if (choice.curve === "each") words.set("curve", "each");
  for (const id of choice.chosen) words.append("run", id);
  return words.toString();
}

export function filters(choice) {
  return FACETS.filter((name) => choice.facets[name].size).length
    + ["from", "to", "text"].filter((name) => choice[name]).length;
}

// A run with what follows from its costs: points [trial, cost], the lowest so far at each, first and best.
export function derived(run) {
  const points = run.costs.filter(([, cost]) => cost !== null);
  let low = Infinity, bestTrial = null;
  const lowest = points.map(([number, cost]) => {
    if (cost < low) [low, bestTrial] = [cost, number];
    return [number, low];
  });
  const lost = run.costs.filter(([, cost]) => cost === null).map(([number]) => number);
  const words = TEXTS.map((name) => run[name]).join(" ").toLowerCase() + ` seed=${run.seed}`;
  return {
    ...run, points, lowest, lost, bestTrial, words,
    first: points.length ? points[0][1] : null, best: points.length ? low : null,
  };
}

export function fits(run, choice, without = "") { return matcher(choice, without)(run); }

// Whether a run fits the filters, or all but one of them.
export function matcher(choice, without = "") {
  const facets = FACETS.filter((name) => name !== without && choice.facets[name].size).map((name) => [name, choice.facets[name]]);
  const words = choice.text.toLowerCase().split(/\s+/).filter(Boolean), { from, to } = choice;
  return (run) => facets.every(([name, wanted]) => wanted.has(run[name]))
    && !(from && run.created < from) && !(to && run.created.slice(0, to.length) > to)
    && words.every((word) => run.words.includes(word));
}

// Values of a facet with the number of runs that the other filters leave; those that are asked for stay.
export function counted(runs, choice, name) {
  const found = new Map();
  for (const value of choice.facets[name]) found.set(value, 0);
  const counts = matcher(choice, name);
  for (const run of runs) found.set(run[name], (found.get(run[name]) || 0) + (counts(run) ? 1 : 0));
  return [...found].sort(([a], [b]) => a.localeCompare(b));
}

// Runs in order; those without a value last, whichever way, and the newest first among equals.
export function ordered(runs, choice) {
  const key = SORTS[choice.sort], sign = choice.down ? -1 : 1;
  const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
  const keyed = runs.map((run) => [key(run), run]);
  keyed.sort(([a, one], [b, other]) => {
    if (a === null || b === null) return (a === null) - (b === null) || newest(one, other);
    return sign * compare(a, b) || newest(one, other);
  });
  return keyed.map(([, run]) => run);
}

function newest(a, b) {
  return a.created < b.created ? 1 : a.created > b.created ? -1 : a.id < b.id ? 1 : -1;
}

// What tells the shown runs apart most likely: several improvers, else tasks, arms, backends.
export function grouping(runs, choice) {
  if (choice.group) return choice.group;
  return GROUPS.find((name) => runs.some((run) => run[name] !== runs[0][name])) || "improver";
}

export function curve(run, choice) { return choice.curve === "each" ? run.points : run.lowest; }

// Median and quartiles of many curves per trial: [trial, low, middle, high].  The lowest cost so far of a run
// that has ended holds on; a cost of each trial is there or not.
export function middle(runs, choice) {
  const found = new Set();
  for (const run of runs) for (const [number] of run.points) found.add(number);
  const numbers = [...found].sort((a, b) => a - b), curves = runs.map((run) => curve(run, choice)), places = runs.map(() => 0);
  return numbers.map((number) => {
    const values = new Float64Array(runs.length);
    let count = 0;
    curves.forEach((points, index) => {
      while (places[index] < points.length && points[places[index]][0] <= number) places[index] += 1;
      const at = points[places[index] - 1];
      if (at && (choice.curve !== "each" || at[0] === number)) values[count++] = at[1];
    });
    const sorted = values.subarray(0, count).sort();
    return [number, quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)];
  });
}

// The runs of each group that are drawn as thin curves: of many every n-th, and the one of lowest cost.
export function thinned(groups) {
  const every = Math.ceil(groups.reduce((sum, group) => sum + group.runs.length, 0) / MAX_FAINT);
  if (every < 2) return groups;
  return groups.map((group) => {
    const best = group.runs.reduce((low, run) => (run.best !== null && (low === null || run.best < low.best) ? run : low), null);
    return { ...group, runs: group.runs.filter((run, n) => run === best || n % every === 0) };
  });
}

export function quantile(sorted, share) {
  const place = share * (sorted.length - 1), low = Math.floor(place), high = Math.ceil(place);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

// Settings in which runs differ, by name: a text per run, null where it has none; and how many are the same.
export function differing(settings) {
  const names = [...new Set(settings.flatMap((one) => Object.keys(one)))];
  const rows = names.map((name) => [name, settings.map((one) => (Object.hasOwn(one, name) ? one[name] : null))]);
  const found = rows.filter(([, values]) => values.some((value) => value !== values[0]));
  return { rows: found, same: rows.length - found.length };
}

// Values with their long numbers at six digits, unless that would make different ones look the same.
export function brief(values) {
  const short = values.map((value) => value && value.replace(/-?\d+\.\d{6,}(e[-+]?\d+)?/gi, (text) => String(Number(Number(text).toPrecision(6)))));
  return new Set(short).size === new Set(values).size ? short : values;
}

// A length [m] in mm as everywhere in icpi: three digits down to 0.1 mm.
export function millimetres(metres) {
  if (metres === null || !Number.isFinite(metres)) return "-";
  const value = 1000 * metres, size = Math.abs(value);
  if (size > 0 && size < 0.005) return `${Number(value.toPrecision(1))} mm`;
  return `${value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2)} mm`;
}

export function plural(count, word) { return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`; }
