"""Refusals in fields: what a program reads instead of the message."""

import ast
import math
import pickle
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from icpi_benchmarks.contest import plan as bench_plan

import icpi_ros
from icpi_ros.core.errors import (
    IcpiError,
    InvalidValue,
    Kind,
    MotionRefused,
    Refusal,
    UsageError,
)
from icpi_ros.core.types import SECOND
from icpi_ros.learn.building.plan import LABELS, DatasetPlan
from icpi_ros.motion import path_check
from icpi_ros.motion.limits_file import load_limits
from icpi_ros.motion.primitives import Strike, point_to_point, strikes, swings
from icpi_ros.motion.safety import MAX_POINTS, CheckedTrajectory, SafetyGate
from icpi_ros.motion.trajectory import JointTrajectory, slowed
from icpi_ros.robots.description.fields import ANGLE, RADIUS, DescriptionBlock
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.settings.table import check_run, find
from icpi_ros.sim.camera_settings import CameraSettings
from icpi_ros.sim.controller_orders import MotionState, MotionTolerances, Order, Tolerance
from icpi_ros.sim.trajectory_controller import ControllerOptions, TrajectoryController
from icpi_ros.tasks.slide import SLIDE

GATE = SafetyGate(UR5E)
MOTION = SLIDE.motion(np.array([1.2, 0.1]), UR5E)
STROKE, START = MOTION.trajectory, MOTION.start
PAN, LIFT, ELBOW = UR5E.joints[:3]
PI, INF = math.pi, math.inf
FAR_AWAY = Strike(np.array([1.2, 0.4, 0.1]), np.array([1.2, 0.5, 0.1]), 0.1, 5.0)
LIMITS = tuple(sorted(one.name for one in fields(UR5E.limits) if one.name != "tool_mass"))
PACKAGE = Path(icpi_ros.__file__).resolve().parent


def poked(name, row, column, value):
    array = getattr(STROKE, name).copy()
    array[row, column] = value
    return replace(STROKE, **{name: array})


def timed(times):
    """A motion on the spot with points at these times [s]."""
    zero = np.zeros((len(times), 6))
    return JointTrajectory(UR5E.joints, np.array(times), UR5E.home + zero, zero, zero)


def move(goal, begin=UR5E.home):
    """A slow move that turns some joints of ``begin`` by these angles [rad]."""
    return point_to_point(UR5E, begin, begin + np.pad(goal, (0, 6 - len(goal))))


def lowered():
    """A slow move of the tool into the table."""
    below = UR5E.ik(SLIDE.strike.start - [0, 0, 0.004], UR5E.tool_pose(START)[1])
    return point_to_point(UR5E, MOTION.ready, below)


def refusal_of(trajectory, current=None, gate=GATE):
    with pytest.raises(MotionRefused) as caught:
        gate.check(trajectory, trajectory.positions[0] if current is None else current)
    refusal = caught.value.refusal
    assert str(caught.value) == refusal.text == str(refusal)
    return refusal


def told(refusal):
    """Return kind, quantity, joint, value, limit and field; numbers within 1e-6."""
    numbers = refusal.limit and not isinstance(refusal.limit[0], str)
    return (
        refusal.kind,
        refusal.quantity,
        refusal.joint,
        near(refusal.value) if isinstance(refusal.value, float) else refusal.value,
        near(refusal.limit) if numbers else refusal.limit,
        refusal.field,
    )


def near(value):
    return pytest.approx(value, rel=1e-6, abs=1e-9)


FAST = poked("velocities", 8, 1, 3.5)
PEAK = FAST.sample(np.linspace(*FAST.times[[7, 9]], 20_001))[1][:, 1].max()
"""Looked for finely around the poked point, where the gate takes the roots of polynomials."""


@pytest.mark.parametrize(
    ("trajectory", "current", "expected"),
    [
        (
            replace(STROKE, joints=STROKE.joints[::-1]),
            START,
            (Kind.WRONG_JOINTS, "joints", "", STROKE.joints[::-1], UR5E.joints, ""),
        ),
        (
            replace(STROKE, times=["a"]),
            START,
            (Kind.FORM, "points", "", None, None, ""),
        ),
        (
            timed(np.linspace(0.0, 20.0, MAX_POINTS + 1)),
            None,
            (Kind.FORM, "points", "", MAX_POINTS + 1, (2, MAX_POINTS), ""),
        ),
        (timed([0.0]), None, (Kind.FORM, "points", "", 1, (2, MAX_POINTS), "")),
        (
            poked("positions", 5, 2, -INF),
            START,
            (Kind.NOT_FINITE, "position", ELBOW, -INF, None, "points[5]"),
        ),
        (
            poked("accelerations", 3, 0, INF),
            START,
            (Kind.NOT_FINITE, "acceleration", PAN, INF, None, "points[3]"),
        ),
        (timed([0.0, INF]), None, (Kind.NOT_FINITE, "time", "", INF, None, "points[1]")),
        (timed([0.1, 1.0]), None, (Kind.TIMES, "time", "", None, None, "")),
        (timed([0.0, 1.0, 1.0]), None, (Kind.TIMES, "time", "", None, None, "")),
        (timed([0.0, 31.0]), None, (Kind.DURATION, "duration", "", 31.0, (0, 30), "")),
        (
            timed([0.0, 1.0, 1.00005]),
            None,
            (Kind.SPACING, "spacing", "", 5e-5, (1e-4, INF), "points[1]"),
        ),
        (STROKE, START * np.nan, (Kind.UNKNOWN_POSE, "position", "", None, None, "")),
        (
            poked("velocities", -1, 1, -0.25),
            START,
            (Kind.NOT_AT_REST, "velocity", LIFT, -0.25, (0, 0), ""),
        ),
        (
            STROKE,
            START + np.array([0, 0, 0.03, 0, 0, 0.01]),
            (Kind.START, "distance from the start", ELBOW, 0.03, (0, 0.02), ""),
        ),
        (
            FAST,
            START,
            (Kind.JOINT_LIMIT, "velocity", LIFT, PEAK, (-PI, PI), ""),
        ),
        (
            poked("accelerations", 8, 1, -41.0),
            START,
            (Kind.JOINT_LIMIT, "acceleration", LIFT, -41.0, (-40, 40), ""),
        ),
        (
            move([0.0, 0.0, 2.0]),
            None,
            (Kind.JOINT_LIMIT, "position", ELBOW, UR5E.home[2] + 2.0, (-PI, PI), ""),
        ),
        (lowered(), None, (Kind.WORKSPACE, "tool z", "", 0.006, (0.008, 2.6), "")),
    ],
    ids=lambda part: f"{part[0]}-{part[1]}" if isinstance(part, tuple) else "",
)
def test_the_gate_says_in_fields_what_it_refuses(trajectory, current, expected):
    assert expected == told(refusal_of(trajectory, current))


UPRIGHT = UR5E.home + np.array([0, -1.5, 0, 0, 0, 0])


def test_pieces_below_the_table_and_near_each_other_are_named_with_their_distance():
    motion = move([0.0, 0.9])
    q = motion.sample(np.linspace(0.0, motion.duration, 4001))[0]
    body = GATE.path.geometry
    heights = dict(
        zip((body.pieces[i].name for i in body.free), body.lowest(UR5E.links(q)).T, strict=True)
    )
    found = refusal_of(motion)
    piece = found.quantity.removeprefix("lowest point of ")
    assert (found.kind, found.unit, found.limit) == (Kind.FLOOR, "m", (0.0, INF))
    assert found.value == pytest.approx(heights[piece].min(), abs=1e-4)

    found = refusal_of(move([0, 0, 1.5], UPRIGHT))
    expected = (Kind.SELF_COLLISION, "distance of shoulder and forearm", "", (0.01, INF))
    assert (found.kind, found.quantity, found.joint, found.limit) == expected
    assert 0.0095 < found.value < 0.01
    assert f"come within {found.value:.6f} m" in found.text


def test_the_speed_of_the_tool_is_a_refusal_of_its_own():
    slow = SafetyGate(UR5E, UR5E.limits.tightened({"tool_speed": 1.1}, UR5E.joints))
    found = refusal_of(STROKE, gate=slow)
    expected = (Kind.TOOL_SPEED, "tool speed", "", (-INF, 1.1), "m/s")
    assert (found.kind, found.quantity, found.joint, found.limit, found.unit) == expected
    assert found.value == pytest.approx(1.2, rel=1e-3)


def test_what_would_cost_too_much_to_check_is_told_with_its_bound(monkeypatch):
    monkeypatch.setattr(path_check, "MAX_ZOOMS", 0)
    found = refusal_of(move([0, 0, 1.5], UPRIGHT))
    expected = (Kind.UNCHECKABLE, "near contacts", "", 1, (0.0, 0.0), "")
    assert told(found) == expected
    monkeypatch.setattr(path_check, "MAX_DIPS", -1)
    found = refusal_of(STROKE)
    assert told(found) == (Kind.UNCHECKABLE, "near misses", "", 0, (0.0, -1.0), "")


def test_a_stop_and_a_motion_that_is_not_the_gates_are_told_too():
    with pytest.raises(MotionRefused) as caught:
        CheckedTrajectory(STROKE)
    assert caught.value.refusal.kind is Kind.NOT_CHECKED
    with pytest.raises(MotionRefused) as caught:
        GATE.check_stop(poked("velocities", -1, 4, 0.5), STROKE.at(0.0))
    expected = (Kind.NOT_AT_REST, "velocity", UR5E.joints[4], 0.5, (0.0, 0.0), "")
    assert expected == told(caught.value.refusal)
    with pytest.raises(MotionRefused) as caught:
        GATE.check_stop(poked("positions", 0, 1, 7.0), STROKE.at(0.0))
    expected = (Kind.START, "position", LIFT, 7.0, (START[1], START[1]), "")
    assert expected == told(caught.value.refusal)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda: strikes(UR5E, FAR_AWAY, np.array([1.0]), np.array([0.0])),
            (Kind.OUT_OF_REACH, "strike", "", None, None, ""),
        ),
        (
            lambda: swings(UR5E, UR5E.home, np.full((1, 6), 0.1), np.array([3.0]), 10.0),
            (Kind.OUT_OF_BOUNDS, "travel of a swing", "", 0.1, (0.9, INF), ""),
        ),
        (
            lambda: slowed(STROKE, 1.5),
            (Kind.OUT_OF_BOUNDS, "speed scale", "", 1.5, (0.0, 1.0), ""),
        ),
        (
            lambda: SLIDE.space.validate([2.0, 0.1]),
            (Kind.OUT_OF_BOUNDS, "theta", "", 2.0, (0.6, 1.6), "speed"),
        ),
        (
            lambda: SLIDE.space.validate([1.0, INF]),
            (Kind.NOT_FINITE, "theta", "", INF, None, "heading"),
        ),
        (
            lambda: SLIDE.space.validate([1.0]),
            (Kind.FORM, "theta", "", [1.0], ("speed", "heading"), ""),
        ),
        (
            lambda: SLIDE.space.validate(["fast", 1.0]),
            (Kind.FORM, "theta", "", ["fast", 1.0], None, ""),
        ),
        (
            lambda: UR5E.limits.tightened({"velocity": [1, 1, 3.2, 1, 1, 1]}, UR5E.joints),
            (Kind.LOOSER, "velocity", ELBOW, 3.2, (-INF, PI), "velocity"),
        ),
        (
            lambda: UR5E.limits.tightened({"workspace_lower": [-0.5, -0.5, 0.0]}, UR5E.joints),
            (Kind.LOOSER, "workspace_lower z", "", 0.0, (0.008, INF), "workspace_lower"),
        ),
        (
            lambda: UR5E.limits.tightened({"tool_speed": 4.5}, UR5E.joints),
            (Kind.LOOSER, "tool_speed", "", 4.5, (-INF, 4.0), "tool_speed"),
        ),
        (
            lambda: UR5E.limits.tightened({"velocity": "fast"}, UR5E.joints),
            (Kind.FORM, "velocity", "", "fast", None, "velocity"),
        ),
        (
            lambda: UR5E.limits.tightened({"velocity": 0.0}, UR5E.joints),
            (Kind.NO_MOTION, "", "", None, None, ""),
        ),
        (
            lambda: SafetyGate(UR5E, replace(UR5E.limits, tool_mass=0.1)),
            (Kind.LOOSER, "tool_mass", "", 0.1, (0.3, INF), "tool_mass"),
        ),
        (
            lambda: UR5E.limits.tightened({"speed": 1.0}, UR5E.joints),
            (Kind.UNKNOWN_NAME, "limit", "", "speed", LIMITS, ""),
        ),
        (
            lambda: DescriptionBlock("arm.yaml", {"radius": 2.0}).number("radius", RADIUS),
            (Kind.OUT_OF_BOUNDS, "radius", "", 2.0, (0.0, 1.0), "radius"),
        ),
        (
            lambda: DescriptionBlock("arm.yaml", {"home": [0.0, "x"]}).numbers("home", 2, ANGLE),
            (Kind.FORM, "home[1]", "", "x", (-4 * PI, 4 * PI), "home[1]"),
        ),
        (
            lambda: DescriptionBlock.of("arm.yaml", {}, ["name"]),
            (Kind.MISSING, "name", "", None, None, "name"),
        ),
        (
            lambda: DescriptionBlock.of("arm.yaml", {"nam": 1}, ["name"], ["home"]),
            (Kind.UNKNOWN_NAME, "", "", "nam", ("name", "home"), ""),
        ),
    ],
    ids=lambda part: f"{part[0]}-{part[1]}" if isinstance(part, tuple) else "",
)
def test_values_that_are_not_allowed_say_so_in_fields(make, expected):
    with pytest.raises(IcpiError) as caught:
        make()
    assert expected == told(caught.value.refusal)
    assert str(caught.value) == caught.value.refusal.text


@pytest.mark.parametrize(
    ("field", "value", "limit"),
    [
        ("budget", 0, (1, 1000)),
        ("seed", -1, (0, 2**64 - 1)),
        ("target_cost", -0.1, (0, INF)),
        ("max_step", 0.0, (1e-6, 1)),
    ],
)
def test_the_numbers_of_a_run_are_known_by_their_field(field, value, limit):
    config = RunConfig("slide", "knn", (0.6, 0.42), budget=8)
    with pytest.raises(InvalidValue) as caught:
        check_run(replace(config, **{field: value}))
    assert told(caught.value.refusal) == (Kind.OUT_OF_BOUNDS, field, "", value, limit, field)
    with pytest.raises(InvalidValue) as caught:
        check_run(replace(config, **{field: True}))
    assert told(caught.value.refusal) == (Kind.FORM, field, "", True, limit, field)


@pytest.mark.parametrize(
    ("text", "kind", "field"),
    [
        ("velocity: 9.0", Kind.LOOSER, "velocity"),
        ("velocity: fast", Kind.FORM, "velocity"),
        ("vellocity: 1.0", Kind.UNKNOWN_NAME, ""),
        ("velocity: 1.0\nvelocity: 3.0", Kind.DUPLICATE, "velocity"),
        ("velocity: [1, 2", Kind.UNREADABLE, ""),
        ("", Kind.MISSING, ""),
    ],
)
def test_a_file_of_limits_keeps_the_fields_and_says_where(tmp_path, text, kind, field):
    path = tmp_path / "limits.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidValue) as caught:
        load_limits(path, UR5E)
    assert (caught.value.refusal.kind, caught.value.refusal.field) == (kind, field)
    assert str(path) in caught.value.refusal.text


# --- the simulated controller ---------------------------------------------------------------------


def controller(**options):
    return TrajectoryController(UR5E.joints, UR5E.home, ControllerOptions(**options))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"positions": np.full((2, 6), np.nan)}, (Kind.NOT_FINITE, "points", "", None, None, "")),
        ({"times": np.array([0.0, -1.0])}, (Kind.TIMES, "time", "", None, None, "")),
        (
            {"velocities": np.array([np.zeros(6), [0, 0.1, 0, 0, 0, 0]])},
            (Kind.NOT_AT_REST, "velocity", LIFT, 0.1, (-1.2e-7, 1.2e-7), ""),
        ),
    ],
)
def test_a_controller_says_in_fields_what_it_rejects(change, expected):
    with pytest.raises(MotionRefused) as caught:
        controller().take(Order("a", replace(timed([0.0, 1.0]), **change)), 0)
    assert expected == told(caught.value.refusal)


def test_an_inactive_controller_and_a_motion_of_the_past_are_told_apart():
    motion = timed([0.0, 1.0])
    with pytest.raises(MotionRefused) as caught:
        controller().take(Order("a", motion, start_ns=1), 9 * SECOND)
    assert caught.value.refusal.kind is Kind.TIMES
    inactive = controller()
    inactive.active = False
    with pytest.raises(MotionRefused) as caught:
        inactive.take(Order("a", motion), 0)
    assert caught.value.refusal.kind is Kind.INACTIVE


@pytest.mark.parametrize(
    ("watch", "violated"),
    [
        (MotionTolerances(path=np.full(6, 0.01)), Tolerance.PATH),
        (MotionTolerances(goal=np.full(6, 0.01), goal_time=0.1), Tolerance.GOAL),
    ],
)
def test_an_aborted_goal_names_the_tolerance_that_it_violated(watch, violated):
    """The arm stays where it is, whatever is commanded."""
    simulated, events = controller(rate=100.0), []
    simulated.take(Order("a", move([0.5]), tolerances=watch, goal=True), 0)
    for step in range(500):
        _, news = simulated.update(step * SECOND // 100, UR5E.home, np.zeros(6))
        events += news
    (aborted,) = [event for event in events if event.state is MotionState.ABORTED]
    assert aborted.violated is violated


def test_what_is_no_tolerance_names_none():
    simulated = controller()
    simulated.take(Order("a", move([0.5]), goal=True), 0)
    (event,) = simulated.abort(SECOND, "it is 0.2 rad from the goal, says a fault")
    assert (event.state, event.violated) == (MotionState.ABORTED, Tolerance.NONE)


# --- exceptions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [IcpiError, UsageError, InvalidValue, MotionRefused])
def test_an_error_carries_its_fields_through_a_process_and_may_have_words_alone(error):
    refusal = Refusal("too fast", Kind.JOINT_LIMIT, "velocity", ELBOW, 3.5, (-PI, PI), "rad/s")
    copy = pickle.loads(pickle.dumps(error(refusal)))
    assert (type(copy), str(copy), copy.refusal) == (error, "too fast", refusal)
    assert error("only words").refusal == Refusal("only words")
    assert error("only words").refusal.kind is Kind.OTHER


def test_a_refusal_in_few_words_has_no_numbers():
    full = Refusal("velocity of a reaches 3", Kind.JOINT_LIMIT, "velocity", "a", 3.0)
    assert [one.brief for one in (full, replace(full, joint=""), Refusal("no fields"))] == [
        "velocity of a",
        "velocity",
        "no fields",
    ]


def test_every_refused_motion_of_this_package_has_a_kind():
    words_alone = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "MotionRefused"
        and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
    ]
    assert words_alone == []


def plan(**given):
    return DatasetPlan(**{"examples": 60, "draws": 6} | given)


def bench(**given):
    return bench_plan.ContestPlan(**{"tasks": (SLIDE,), "improvers": ("random",)} | given)


NAMED = {
    "draws": (lambda: plan(draws=0), Kind.OUT_OF_BOUNDS, "draws", 0, (1, 60)),
    "label": (lambda: plan(label="x"), Kind.UNKNOWN_NAME, "label", "x", LABELS),
    "noise": (lambda: plan(label_noise=9.0), Kind.OUT_OF_BOUNDS, "label_noise", 9.0, (0.0, 2.0)),
    "few": (lambda: plan().check(SLIDE, 99), Kind.OUT_OF_BOUNDS, "examples", 60, (99, INF)),
    "range": (
        lambda: plan(physics_range={"mass": (0.0, 9.0)}).check(SLIDE, 1),
        Kind.OUT_OF_BOUNDS,
        "mass",
        (0.0, 9.0),
        next((p.lower, p.upper) for p in SLIDE.physics_space.parameters if p.name == "mass"),
    ),
    "no such range": (
        lambda: plan(physics_range={"colour": (0.0, 1.0)}).check(SLIDE, 1),
        Kind.UNKNOWN_NAME,
        "physics",
        "colour",
        SLIDE.physics_space.names,
    ),
    "bench": (lambda: bench(trials=0), Kind.OUT_OF_BOUNDS, "trials", 0, (1, INF)),
    "twice": (lambda: bench(tasks=(SLIDE, SLIDE)), Kind.DUPLICATE, "task", "slide", None),
    "none": (lambda: bench(tasks=()), Kind.MISSING, "task", (), None),
    "option": (
        lambda: Run("slide", improver="knn", options={"k": 0}),
        Kind.OUT_OF_BOUNDS,
        "options.k",
        0,
        (1, 1000),
    ),
    "no such option": (
        lambda: Run("slide", improver="random", options={"kk": 0}),
        Kind.UNKNOWN_NAME,
        "options",
        "kk",
        (),
    ),
    "camera": (
        lambda: CameraSettings(noise=99.0),
        Kind.OUT_OF_BOUNDS,
        "camera_noise",
        99.0,
        (0.0, 64.0),
    ),
    "argument": (
        lambda: find("ramp_trials").parse("many"),
        Kind.OUT_OF_BOUNDS,
        "ramp_trials",
        "many",
        (0, 100),
    ),
}


@pytest.mark.parametrize(("make", "kind", "field", "value", "limit"), NAMED.values(), ids=NAMED)
def test_numbers_and_names_are_in_fields(make, kind, field, value, limit):
    with pytest.raises(InvalidValue) as caught:
        make()
    found = caught.value.refusal
    assert (found.kind, found.field, found.value, found.limit) == (kind, field, value, limit)


def test_a_free_text_is_in_no_field():
    with pytest.raises(InvalidValue, match="this value is not allowed") as caught:
        Run("slide", improver="llm", options={"base_url": 7})
    assert caught.value.refusal.value is None
