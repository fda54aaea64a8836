// What the page of stored runs makes of its rows, without a browser: filters, order, address, medians.
// usage: node stored_runs_page.mjs CHOICE_MODULE; prints what went wrong, ends with 1 then.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const { brief, counted, derived, differing, fits, grouping, middle, millimetres, nothing, ordered, read, thinned, written } =
  await import(pathToFileURL(process.argv[2]));
const run = (id, more = {}) => derived({
  id, created: `2026-11-${id}T08:00:00`, task: "slide", arm: "ur5e", backend: "in_process", improver: "ridge",
  goal: "0.6", goal_text: "x 0.6 m", options: "", seed: "3", state: "finished", note: "", damage: "", mixed: "",
  costs: [], running: null, ...more,
});
const ids = (runs) => runs.map((one) => one.id).join(" ");
const choice = (hash) => read(`#${hash}`);
const runs = [
  run("10", { costs: [[0, 0.2], [1, 0.004], [2, 0.03]] }),
  run("11", { costs: [[0, 0.1], [1, null], [2, 0.05]], improver: "embedded", note: "Target reached" }),
  run("12", { costs: [], task: "rope-swing", state: "failed" }),
];
const kept = (hash) => ids(runs.filter((one) => fits(one, choice(hash))));

assert.deepEqual([runs[0].first, runs[0].best, runs[0].bestTrial], [0.2, 0.004, 1]);
assert.deepEqual(runs[0].lowest, [[0, 0.2], [1, 0.004], [2, 0.004]]);
assert.deepEqual([runs[1].lost, runs[2].best, runs[2].first], [[1], null, null]);

assert.equal(kept(""), "10 11 12");
assert.equal(kept("task=slide&improver=embedded&improver=knn"), "11");
assert.equal(kept("task=nowhere"), "");
assert.equal(kept("from=2026-11-11"), "11 12");
assert.equal(kept("from=2026-11-11T08:00:01"), "12");
assert.equal(kept("to=2026-11-11"), "10 11");
assert.equal(kept("text=TARGET+ridge"), "");
assert.equal(kept("text=TARGET+seed%3D3"), "11");
assert.deepEqual(counted(runs, choice("improver=ridge&task=gone"), "task"), [["gone", 0], ["rope-swing", 1], ["slide", 1]]);

assert.equal(ids(ordered(runs, choice(""))), "12 11 10");
assert.equal(ids(ordered(runs, choice("sort=best"))), "10 11 12");
assert.equal(ids(ordered(runs, choice("sort=-best"))), "11 10 12", "a run without a cost is last either way");
assert.equal(choice("sort=constructor").sort, "created");

const address = "task=slide&task=a%26b%23c&from=2026-11-01&text=%3Cb%3E&group=arm&sort=best&curve=each&run=10&run=11";
assert.equal(written(choice(address)), address);
assert.equal(written(nothing()), "");
assert.equal(choice(Array.from({ length: 99 }, (_, n) => `run=${n}`).join("&")).chosen.length, 24);

assert.equal(grouping(runs, choice("")), "improver");
assert.equal(grouping(runs.slice(0, 1), choice("")), "improver");
assert.equal(grouping([runs[0], runs[2]], choice("")), "task");
const short = run("13", { costs: [[0, 0.3]] });
const middles = (hash) => middle([runs[0], runs[1], short], choice(hash)).map(([number, , cost]) => [number, cost]);
assert.deepEqual(middles(""), [[0, 0.2], [1, 0.1], [2, 0.05]], "the best so far of a run that has ended holds on");
assert.deepEqual(middles("curve=each"), [[0, 0.2], [1, 0.004], [2, 0.04]]);
assert.deepEqual(middle([run("14")], choice("")), []);

const many = Array.from({ length: 4000 }, (_, n) => run(String(n), { costs: [[0, n === 100 ? 0.001 : 0.1]] }));
const [few, all] = [thinned([{ runs: many }])[0].runs, thinned([{ runs }])[0].runs];
assert.equal(few.length, 1335, "every third, and the lowest");
assert.ok(few.includes(many[100]) && all === runs);

assert.deepEqual(differing([{ a: "1", b: "2", __proto__: null }, { a: "1", c: "3" }]), { rows: [["b", ["2", null]], ["c", [null, "3"]]], same: 1 });
assert.deepEqual(brief(["[0.6391997238969691, 2]", null]), ["[0.6392, 2]", null]);
assert.deepEqual(brief(["0.61234567", "0.61234568"]), ["0.61234567", "0.61234568"]);
assert.deepEqual([0.213, 0.0123, 0.00412, 4e-7, 0, null].map(millimetres), ["213 mm", "12.3 mm", "4.12 mm", "0.0004 mm", "0.00 mm", "-"]);
