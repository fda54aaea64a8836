"""Made-up benchmark results in the format of `icpi bench`, of any size."""

import numpy as np
from icpi_benchmarks.results import Results

TASKS = ("slide", "slide-gc", "rope-swing", "rope-swing-gc", "roll-gc")
RATES = {
    "embedded": 0.22, "random": 0.8, "knn-copy": 0.55, "knn": 0.5, "knn-hindsight": 0.52,
    "ridge": 0.45, "ridge-hindsight": 0.35, "gauss-newton": 0.3, "broyden": 0.36, "bo": 0.75,
    "bo-warm": 0.48, "cma": 0.78, "cma-warm": 0.5, "llm": 0.4, "oracle": 0.2,
    "ridge-oracle": 0.16,
}  # fmt: skip
"""Improver to the factor by which an adjustment lowers the cost."""
PREDICTS = ("embedded", "gauss-newton", "bo", "bo-warm", "ridge-oracle")


def condition(name="", **more):
    plain = {"draws": "test", "examples": None, "label_noise": 0.0, "noise": 0.0, "options": {}}
    return {"name": name, **plain, **more}


def config(tasks=("slide",), improvers=("embedded", "random"), conditions=None, **more):
    found = {
        "command": "icpi bench --preset main --json main.json", "preset": "main", "seed": 0,
        "instances": 20, "trials": 6, "time_limit": 30.0, "threshold_m": 0.005,
        "tasks": list(tasks), "improvers": list(improvers), "default": improvers[0],
        "conditions": conditions or [condition()],
        "versions": {"icpi_ros": "0.1.0", "numpy": "2.4.6", "python": "3.11.7"},
        "definitions": dict.fromkeys(tasks, "0123456789abcdef"),
        "datasets": {f"{task}/": "sha256:" + 16 * "ab" for task in tasks},
    }  # fmt: skip
    return found | more


def row(improver, instance, trial, cost, best_cost, **more):
    plain = {
        "task": "slide", "seconds": 0.0 if trial == 0 else 0.002, "condition": "",
        "provenance": improver, "fallback_reason": "", "failure": None, "predicted_cost": None,
        "predicted_std": None, "projected": False, "theta": [1.0, 0.1],
    }  # fmt: skip
    return {"improver": improver, "instance": instance, "trial": trial, "cost": cost,
            "best_cost": best_cost, **plain, **more}  # fmt: skip


def results_of(costs, **more):
    """Results of one task from {improver: (N, T) costs}; the best so far is the minimum."""
    rows = []
    for improver, table in costs.items():
        for instance, line in enumerate(np.asarray(table, dtype=float)):
            best = np.fmin.accumulate(line)
            for trial, (cost, low) in enumerate(zip(line, best, strict=True)):
                values = [None if np.isnan(value) else float(value) for value in (cost, low)]
                failure = "diverged" if np.isnan(cost) else None
                rows.append(row(improver, instance, trial, *values, failure=failure))
    sizes = dict(zip(("instances", "trials"), np.shape(next(iter(costs.values()))), strict=True))
    return Results(config(improvers=tuple(costs), **sizes, **more), [], rows)


def realistic(tasks=TASKS, improvers=tuple(RATES), conditions=None, instances=20, trials=6, seed=0):
    """Results like real ones: heavy tails, failures, fallbacks, predictions that nearly fit."""
    conditions = conditions or [condition()]
    rng, rows = np.random.default_rng(seed), []
    for place, where in enumerate(conditions):
        worse = 1.0 + 0.25 * place
        for task in tasks:
            first = rng.lognormal(np.log(0.25), 0.6, instances)
            for improver in improvers:
                rate = min(RATES[improver] * worse, 0.95)
                rows += _rows(rng, task, where["name"], improver, first, rate, trials)
    made = config(tasks, improvers, conditions, instances=instances, trials=trials)
    return Results(made, [], rows)


def _rows(rng, task, where, improver, first, rate, trials):
    rows = []
    for instance, start in enumerate(first):
        cost = best = float(start)
        for trial in range(trials):
            more = {"task": task, "condition": where}
            if trial:
                guess = max(best * rate, 2e-4)
                cost = float(guess * rng.lognormal(0.0, 0.7))
                more["seconds"] = float(rng.lognormal(-7.0, 0.5))
                if improver in PREDICTS:
                    more |= {"predicted_cost": guess, "predicted_std": 0.5 * guess}
                if improver == "llm" and rng.random() < 0.03:
                    more |= {"fallback_reason": "llm: no answer in 30 s", "provenance": "embedded"}
                if improver == "bo" and rng.random() < 0.01:
                    more["failure"] = "ValueError: the kernel matrix is singular"
            if more.get("failure"):
                rows.append(row(improver, instance, trial, None, best, **more))
                continue
            best = min(best, cost)
            rows.append(row(improver, instance, trial, cost, best, **more))
    return rows
