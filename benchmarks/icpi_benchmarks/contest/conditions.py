"""Conditions of a contest, and the presets: each study answers one question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from icpi_ros.core.errors import InvalidValue, UnknownName

MAX_EXAMPLES = 500
"""Largest data set of a condition: 50 physics draws of 10 examples each."""
REFERENCE = "embedded"
"""The improver that others are compared with, where it takes part."""
DRAWS = ("test", "shifted", "train")


@dataclass(frozen=True)
class Condition:
    """Circumstances under which all improvers are compared.

    Attributes:
        name: short and unique, for example ``examples=100``; the plain one has none.
        draws: of the instances: ``test``, ``shifted`` (physics outside the data) or ``train``.
        examples: size of the data set, the first of 500, 0 = none; None = the shipped one of 300.
        label_noise: standard deviation of noise on the labels, as a share of the half-range of
            each policy parameter.
        noise: standard deviation of the sensor's noise on every coordinate [m].
        drift: standard deviation of the walk of the first hidden quantity from trial to trial, as a
            share of its range; see ``instances.drifting_physics``.
        options: given to every improver that has them, and that value if there are choices.
        improvers: names or whole labels of those that take part; () = all.
    """

    name: str = ""
    draws: str = "test"
    examples: int | None = None
    label_noise: float = 0.0
    noise: float = 0.0
    drift: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    improvers: tuple[str, ...] = ()

    def players(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return those of the ``labels`` of improvers that take part."""
        return tuple(
            label
            for label in labels
            if not self.improvers or {label, label.partition(":")[0]} & set(self.improvers)
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self) | {"options": dict(self.options), "improvers": list(self.improvers)}


@dataclass(frozen=True)
class Preset:
    """A benchmark by name.

    Attributes:
        summary: the question it answers.
        improvers: in the order of the report.
        conditions: at least one.
        tasks: names; () = all.
        instances: per task and condition.
        trials: per instance, the common first attempt included.
        reference: label that the others are compared with; "" = embedded, else the first.
        recorded: whether its models are replayed from the shipped cassettes.
        frozen: name of the frozen benchmark that it is, see :mod:`.frozen`; "" = of none.
    """

    summary: str
    improvers: tuple[str, ...]
    conditions: tuple[Condition, ...] = (Condition(),)
    tasks: tuple[str, ...] = ()
    instances: int = 200
    trials: int = 6
    reference: str = ""
    recorded: bool = False
    frozen: str = ""

    def with_improvers(self, labels: Sequence[str]) -> Preset:
        """Return it with other improvers, and the conditions under which one of them plays.

        If they are those of no condition, they play under a plain one.
        """
        played = tuple(one for one in self.conditions if one.players(labels))
        plain = replace(self.conditions[0], name="", improvers=(), options={})
        return replace(self, improvers=tuple(labels), conditions=played or (plain,))

    def with_draws(self, draws: str) -> Preset:
        """Return it with other instances.

        Raises:
            InvalidValue: its conditions differ in their draws already.
        """
        if len({condition.draws for condition in self.conditions}) > 1:
            raise InvalidValue(f"draws = {draws!r} does not fit a preset that compares draws")
        return replace(self, conditions=tuple(_redrawn(c, draws) for c in self.conditions))


ALL = (
    "embedded",
    "transformer",
    "gauss-newton",
    "broyden",
    "ridge-hindsight",
    "ridge",
    "knn-hindsight",
    "knn",
    "knn-copy",
    "bo-warm",
    "bo",
    "cma-warm",
    "cma",
    "random",
    "oracle",
    "ridge-oracle",
)
"""All that need no server."""
NULLS = ("null-label", "null-mean")
"""Improvers beside every one that asks a language model."""
MODELS = ("smollm2-135m", "gemma-270m", "qwen-0.5b", "qwen-1.5b")
"""Language models with shipped answers, entries of cassettes/models.yaml."""
ASKED_BY = ("completion", "turns", "json")
"""The wires; written out because options are parsed before anything heavy is imported."""
_RECORDED = tuple(
    (name, wire)
    for name in MODELS
    for wire in ASKED_BY
    if (name, wire) != ("qwen-1.5b", "json")  # half a minute per proposal where it was tried
)
_SMALL = "llm:model=gemma-270m:wire=completion"
"""The one whose context is varied; otherwise it has the defaults of a small model."""
_SMALL_TASKS = ("slide", "slide-gc", "roll-gc")
_BESIDE = ("knn", "ridge", "in-context", "embedded")
"""Improvers beside the models, on the same instances."""


def _nulls(*counts: int, examples: str = "pairs") -> tuple[str, ...]:
    return tuple(f"{null}:k={k}:examples={examples}" for k in counts for null in NULLS)


def _factor(name: str, levels: Sequence[str], nulls: Sequence[str] = ()) -> Condition:
    """Return the condition with the levels of one factor, beside the usual one and the nulls."""
    varied = tuple(f"{_SMALL}:{level}" for level in levels)
    return Condition(name, improvers=(_SMALL, *varied, *_nulls(8), *nulls, *_BESIDE))


_FACTORS = (
    _factor("k", ("k=3", "k=5", "k=10", "k=20"), _nulls(3, 5, 10, 20)),
    _factor("digits", ("digits=3", "digits=4")),
    _factor("samples", ("samples=1", "samples=1:temperature=0", "samples=9")),
    _factor("history", ("history=true",)),
    _factor(
        "form",
        (
            "numbers=fixed:digits=3",
            "inputs=both",
            "examples=labels",
            "examples=labels:inputs=both:numbers=fixed:digits=3:k=5",
        ),
        _nulls(8, 5, examples="labels"),
    ),
)
_DATA = ("embedded", "gauss-newton", "ridge-hindsight", "ridge", "knn", "bo-warm", "random")
_RETRIEVING = ("embedded", "ridge-hindsight", "ridge", "knn", "knn-copy")

PRESETS: dict[str, Preset] = {
    "main": Preset("which improver is best, on all tasks?", ALL),
    "v1": Preset("leaderboard: frozen instances, docs/leaderboard.md", ALL, frozen="v1"),
    "smoke": Preset(
        "is the ranking as it should be? 20 s of processor time",
        (*_DATA, "cma-warm", "ridge-oracle"),
        tasks=("slide", "rope-swing-gc"),
        instances=16,
        trials=4,
    ),
    "data-size": Preset(
        "how many examples are needed?",
        _DATA,
        tuple(
            Condition(f"examples={count}", examples=count) for count in (25, 50, 100, 200, 300, 500)
        ),
    ),
    "cold": Preset(
        "what is reached without examples, or with a few?",
        ("embedded", "bo", "cma", "random"),
        (
            Condition("examples=0", examples=0),
            *(
                Condition(f"examples={count}", examples=count, improvers=("embedded",))
                for count in (5, 20, 100, 300)
            ),
        ),
        instances=100,
        trials=11,
    ),
    "label-noise": Preset(
        "what do wrong labels cost?",
        _DATA,
        tuple(
            Condition(f"label-noise={share:g}", label_noise=share)
            for share in (0.0, 0.05, 0.1, 0.2, 0.4)
        ),
    ),
    "features": Preset(
        "relative error, raw state and goal, or the whole path, as features?",
        _RETRIEVING,
        (
            Condition("features=error", options={"features": "error"}),
            Condition("features=raw", options={"features": "raw"}, improvers=_RETRIEVING[1:]),
            Condition("features=path", options={"features": "path"}, improvers=("embedded",)),
        ),
    ),
    "calibration": Preset(
        "are predictions to be believed? share of outcomes inside 1 and 2 std, and sign",
        ("embedded", "bo-warm"),
    ),
    "k": Preset(
        "how many examples in context?",
        _RETRIEVING,
        tuple(Condition(f"k={k}", options={"k": k}) for k in (1, 2, 5, 10, 20, 40, 60)),
    ),
    "shift": Preset(
        "what if the physics lie outside the data?",
        _DATA,
        (Condition("test"), Condition("shifted", draws="shifted")),
    ),
    "tokens": Preset(
        "what does text cost? the same examples as text and as numbers (needs `icpi serve`)",
        (
            "in-context:history=true:repeats=allow",
            *(f"llm:history=true:repeats=allow:digits={digits}" for digits in (2, 3, 4)),
            *NULLS,
        ),
        instances=100,
    ),
    "llm": Preset(
        "which way to ask a language model? its own steps, against nulls (needs a server: --model)",
        (
            "embedded",
            "in-context",
            "llm",
            "llm:history=true",
            "llm-zero",
            "llm-opro",
            "llm-samples",
            "llm-steered",
            "llm-plan",
            "llm-plan:predictor=llm",
            *NULLS,
        ),
        instances=50,
    ),
    "llm-context": Preset(
        "what should a language model be shown? own steps, against nulls (needs a server: --model)",
        ("llm", *NULLS),
        (
            Condition("plain"),
            *(
                Condition(f"{name}={value}".lower(), options={name: value})
                for name, value in (
                    ("features", "raw"),
                    ("history", True),
                    ("describe", True),
                    ("k", 5),
                    ("k", 10),
                    ("k", 40),
                    ("order", "nearest-first"),
                    ("order", "best-last"),
                    ("order", "random"),
                    ("digits", 2),
                    ("digits", 3),
                )
            ),
        ),
        instances=50,
    ),
    "models": Preset(
        "which small language model, over which wire? from shipped answers, no model needed",
        (
            *(f"llm:model={name}:wire={wire}" for name, wire in _RECORDED),
            *_nulls(8),
            *_BESIDE,
            "transformer",
        ),
        tasks=_SMALL_TASKS,
        instances=12,
        trials=4,
        reference="knn",
        recorded=True,
    ),
    "small": Preset(
        "what should a small model be shown, and how? from shipped answers",
        tuple(dict.fromkeys(label for one in _FACTORS for label in one.improvers)),
        _FACTORS,
        tasks=_SMALL_TASKS,
        instances=12,
        trials=4,
        reference=_SMALL,
        recorded=True,
    ),
    "ways": Preset(
        "which other way to ask a small model? from shipped answers, no model needed",
        (
            _SMALL,
            "llm-expect:model=gemma-270m:wire=completion",
            "llm-model:model=gemma-270m:wire=completion",
            "llm:model=qwen-0.5b:wire=completion",
            "llm-props:model=qwen-0.5b",
            "llm-reflect:model=qwen-0.5b",
            *_nulls(8),
            *(f"{null}:start=best" for null in _nulls(8)),
            *_BESIDE,
        ),
        # Recorded before benchmarks handed the object's path on: its critic saw none.
        (Condition(options={"points": 0}),),
        tasks=("slide",),
        instances=4,
        trials=4,
        reference=_SMALL,
        recorded=True,
    ),
    "noise": Preset(
        "what does a noisy sensor cost?",
        (*_DATA, "broyden", "cma-warm"),
        tuple(Condition(f"noise={mm}mm", noise=1e-3 * mm) for mm in (0, 1, 2, 5, 10)),
    ),
    "drift": Preset(
        "what if friction walks from trial to trial? best = what the best theta so far costs now",
        (*_DATA, "oracle"),
        tuple(Condition(f"drift={percent}%", drift=0.01 * percent) for percent in (0, 2, 5, 10)),
        tasks=("slide", "slide-gc", "roll-gc", "edge-gc"),
        trials=11,
    ),
}


def preset(name: str) -> Preset:
    """Return the preset called ``name``.

    Raises:
        UnknownName: there is none; the message lists them.
    """
    if name not in PRESETS:
        raise UnknownName("preset", name, PRESETS)
    return PRESETS[name]


def _redrawn(condition: Condition, draws: str) -> Condition:
    shown = "" if draws == "test" else draws
    name = ", ".join(filter(None, (condition.name, shown)))
    return replace(condition, name=name, draws=draws)
