"""Sentences of docs/safety.md and docs/real_robot.md that no other test holds; no ROS.

docs/safety_tests.md says which test holds which sentence.
"""

import ast
import re
import shlex
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from careful import CAREFUL
from independent_check import ends, peaks
from test_safety_property import KINDS

import icpi_ros
from icpi_ros.cli import main as command_line
from icpi_ros.core.errors import MotionRefused, UnknownName, UsageError
from icpi_ros.learn.dataset.execution import Backend, Execution
from icpi_ros.motion.carried_stop import MIN_LEAD_IN, carried_stop, hold_on_path
from icpi_ros.motion.limits_file import load_limits
from icpi_ros.motion.path_check import PERIOD, ZOOM, ZOOMS, grid
from icpi_ros.motion.primitives import slow_move
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.stop import controlled_stop, rest_of
from icpi_ros.motion.summary import summarise
from icpi_ros.robots import ARMS
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.bringup.checklist import REPORTED_BY
from icpi_ros.ros.bringup.description import GRAPHS
from icpi_ros.ros.following.memory import NEAR, RunMemory
from icpi_ros.ros.following.planning import Planner
from icpi_ros.ros.following.rules import ExecutorRules
from icpi_ros.runs.store.store import RunConfig, TrialStore
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.slide import SLIDE

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(icpi_ros.__file__).resolve().parent
SAFETY, REAL = (
    (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") for page in ("safety", "real_robot")
)
SAFETY_WORDS = " ".join(SAFETY.split())
GATE = SafetyGate(UR5E)
STROKE = SLIDE.motion(np.array([1.4, 0.1]), UR5E).trajectory
USUAL = 1000
"""Motions of the property test where nobody asks for more."""
FIELDS = ("times", "positions", "velocities", "accelerations")


def rows(text, title):
    """Return the cells of the tables below a heading."""
    section = re.split(rf"^## {re.escape(title)}$", text, flags=re.M)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines]


def written(tmp_path, text):
    path = tmp_path / "limits.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# --- the gate ----------------------------------------------------------------------------------


def test_nothing_but_the_gate_makes_checked_trajectories_and_ports_send_nothing_else():
    taken = {}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        nodes = list(ast.walk(ast.parse(text))) if "CheckedTrajectory" in text else []
        calls = [ast.unparse(n.func).split(".")[-1] for n in nodes if isinstance(n, ast.Call)]
        assert "CheckedTrajectory" not in calls or path == PACKAGE / "motion" / "safety.py"
        if path.name in ("arm_port.py", "auto_port.py", "topic_port.py", "action_port.py"):
            for made in (n for n in nodes if isinstance(n, ast.FunctionDef)):
                if made.name in ("send", "write"):
                    taken[path.name, made.name] = ast.unparse(made.args.args[1].annotation)
        for made in (n for n in nodes if isinstance(n, ast.ClassDef) and n.name == "MotionCommand"):
            (motion,) = (n for n in made.body if ast.unparse(n).startswith("motion:"))
            taken[made.name] = ast.unparse(motion.annotation)
    assert taken.pop("MotionCommand") == "CheckedTrajectory"
    assert {name for (_, name), kind in taken.items() if kind == "CheckedTrajectory"} == {"write"}
    assert {name for (_, name), kind in taken.items() if kind == "MotionCommand"} == {"send"}
    assert len(taken) == 8


def test_what_passes_is_what_was_given():
    checked = GATE.check(STROKE, STROKE.positions[0]).trajectory
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(checked, name), getattr(STROKE, name))


def still(times):
    """A motion that stays where the stroke begins."""
    zero = np.zeros((len(times), 6))
    pose = STROKE.positions[0] + zero
    times = np.asarray(times, np.float64)
    return replace(STROKE, times=times, positions=pose, velocities=zero, accelerations=zero)


def test_the_number_of_points_that_is_accepted_is_that_of_the_page():
    assert "| 2 to 2000 points, at most 30 s |" in SAFETY
    GATE.check(still(0.0002 * np.arange(2)), STROKE.positions[0])
    GATE.check(still(0.0002 * np.arange(2000)), STROKE.positions[0])
    with pytest.raises(MotionRefused, match="at most 2000"):
        GATE.check(still(0.0002 * np.arange(2001)), STROKE.positions[0])


@pytest.mark.parametrize(
    ("told", "inside", "outside"),
    [
        ("at most 30 s |", ([0.0, 30.0], 0.0), ([0.0, 30.001], 0.0)),
        ("at least 0.1 ms apart |", ([0.0, 1.1e-4, 1.0], 0.0), ([0.0, 0.9e-4, 1.0], 0.0)),
        ("0.02 from where each joint is now |", ([0.0, 1.0], 0.0199), ([0.0, 1.0], 0.0201)),
    ],
)
def test_the_numbers_of_the_table_are_those_of_the_gate(told, inside, outside):
    assert told in SAFETY
    for (times, off), refused in ((inside, False), (outside, True)):
        current = STROKE.positions[0] + off * np.eye(6)[2]
        if refused:
            with pytest.raises(MotionRefused, match="allowed"):
                GATE.check(still(times), current)
        else:
            GATE.check(still(times), current)


def test_there_is_no_tolerance_but_a_tenth_of_a_millionth():
    _, (slow, fast), _ = peaks(STROKE)
    most = max(-slow.min(), fast.max())
    near, far = (
        SafetyGate(UR5E, UR5E.limits.tightened({"velocity": most - over}, UR5E.joints))
        for over in (0.9e-7, 1.1e-7)
    )
    near.check(STROKE, STROKE.positions[0])
    with pytest.raises(MotionRefused, match="velocity of"):
        far.check(STROKE, STROKE.positions[0])


def test_the_path_is_looked_at_as_finely_as_the_page_says():
    first = {name: getattr(STROKE, name)[:3] for name in FIELDS}
    motion = replace(STROKE, **first | {"times": np.array([0.0, 0.001, 0.5])})
    looks = grid(motion)
    assert np.diff(looks).max() <= 0.002 + 1e-12
    assert (looks < 0.001).sum() == 8
    assert set(motion.times) <= set(looks)
    finest = PERIOD
    for _ in range(ZOOMS):
        finest = 2.0 * finest / (ZOOM - 1)
    assert f"down to {1e6 * finest:.0f} us" in SAFETY_WORDS
    assert f"at {ZOOM} instants" in SAFETY_WORDS


def test_limits_of_the_arms_are_those_of_the_page():
    told = {row[0]: row[1:] for row in rows(SAFETY, "Limits of the arms")}
    for column, name in enumerate(("ur5e", "ur5e_stick")):
        limits = ARMS.get(name).limits
        cells = {label: values[column] for label, values in told.items() if label}
        velocities = {round(float(v), 2) for v in limits.velocity}
        assert velocities == {float(cells["joint velocity [rad/s]"])}
        assert set(limits.acceleration) == {float(cells["joint acceleration [rad/s^2]"])}
        assert limits.tool_speed == float(cells["tool speed [m/s]"])
        mass, energy = map(float, cells["tool mass [kg], energy [J]"].split(","))
        assert (mass, energy) == (limits.tool_mass, limits.tool_energy)
        low, floor = map(float, cells["lowest tool point; floor [m]"].split(";"))
        assert (low, floor) == (limits.workspace_lower[2], limits.floor)


@pytest.mark.parametrize("page", [SAFETY, REAL], ids=["safety", "real_robot"])
def test_the_examples_of_limits_can_be_used(page, tmp_path):
    (text,) = re.findall(r"```yaml\n(velocity.*?)```", page, re.DOTALL)
    limits, _ = load_limits(written(tmp_path, text), UR5E)
    assert limits.tool_speed < UR5E.limits.tool_speed
    SafetyGate(UR5E, limits)


def test_the_program_of_the_page_makes_a_gate_with_tighter_limits(tmp_path, monkeypatch):
    (file,) = re.findall(r"```yaml\n(.*?)```", SAFETY, re.DOTALL)
    (program,) = re.findall(r"```python\n(.*?)```", SAFETY, re.DOTALL)
    written(tmp_path, file)
    monkeypatch.chdir(tmp_path)
    names = {"Path": Path, "load_limits": load_limits, "SafetyGate": SafetyGate, "arm": UR5E}
    exec(program, names)
    assert names["gate"].limits.tool_speed == 1.2


def test_the_message_of_the_page_is_that_of_a_looser_limit(tmp_path):
    path = written(tmp_path, "velocity: [1, 1, 3.2, 1, 1, 1]\n")
    with pytest.raises(UsageError) as caught:
        load_limits(path, UR5E)
    assert str(caught.value).replace(str(path), path.name) in SAFETY_WORDS


@pytest.mark.parametrize("key", ["floor", "clearance", "start_tolerance", "tool_mass"])
def test_what_is_no_setting_is_an_unknown_key(key):
    with pytest.raises(UnknownName):
        UR5E.limits.tightened({key: 1.0}, UR5E.joints)


def test_a_raised_box_leaves_the_table_plane_where_it_is():
    box = [*UR5E.limits.workspace_lower[:2].tolist(), 0.1]
    gate = SafetyGate(UR5E, UR5E.limits.tightened({"workspace_lower": box}, UR5E.joints))
    assert gate.path.floor == 0.0
    with pytest.raises(MotionRefused, match=r"tool z reaches .*: allowed 0\.1"):
        gate.check(STROKE, STROKE.positions[0])


def test_the_figures_of_the_property_test_are_those_of_its_run():
    each, valid = USUAL // len(KINDS), 14 * 5 * len(TASKS.names())
    assert len(KINDS) == 15
    bad = f"{each * 15} corrupted or random motions of fifteen kinds and {2 * each} that exceed"
    good = f"{valid} valid motions of all tasks and {2 * each} that keep a limit"
    assert bad in SAFETY_WORDS
    assert good in SAFETY_WORDS


# --- stops -------------------------------------------------------------------------------------


def test_a_stop_carries_the_path_and_starts_to_brake_with_its_acceleration():
    begin = 0.3
    stop = carried_stop(GATE, STROKE, begin)
    motion = stop.checked.trajectory
    assert f"at least {1e3 * MIN_LEAD_IN:.0f} ms of it" in SAFETY_WORDS
    assert stop.first == pytest.approx(begin - MIN_LEAD_IN)
    front = np.linspace(0.0, begin - stop.first, 50)
    for ours, path in zip(motion.sample(front), STROKE.sample(front + stop.first), strict=True):
        np.testing.assert_allclose(ours, path, atol=1e-6)
    row = int(np.argmin(np.abs(motion.times - (begin - stop.first))))
    wanted = STROKE.sample(np.array([begin]))[2][0]
    np.testing.assert_allclose(motion.accelerations[row], wanted, atol=1e-6)
    assert not motion.velocities[-1].any()


def test_braking_sets_in_over_four_milliseconds():
    speed, full = 1.0, 0.9 * UR5E.limits.acceleration[0]
    q, qd, zero = np.zeros((4, 6)), np.zeros((4, 6)), np.zeros((4, 6))
    times = np.array([0.0, 0.2, 0.6, 0.8])
    q[:, 0], qd[1:3, 0] = speed * np.array([0.0, 0.1, 0.5, 0.6]), speed
    steady = replace(
        STROKE, times=times, positions=UR5E.home + q, velocities=qd, accelerations=zero
    )
    stop = controlled_stop(steady, 0.4, UR5E.limits)  # at constant speed: it has no other part
    assert "Braking sets in over 4 ms" in SAFETY_WORDS
    early = stop.times < 0.01
    share = -stop.accelerations[early, 0] / full
    assert early.sum() >= 4
    np.testing.assert_allclose(share, np.minimum(stop.times[early] / 0.004, 1.0), atol=0.1)


def test_braking_uses_nine_tenths_of_the_limits_or_what_the_motion_needs():
    begin = 0.3
    stop = carried_stop(GATE, STROKE, begin)
    motion = stop.checked.trajectory
    braking = np.abs(motion.accelerations[motion.times >= begin - stop.first - 1e-9])
    own = np.abs(STROKE.sample(np.linspace(begin, STROKE.duration, 500))[2]).max(axis=0)
    allowed = np.maximum(0.9 * UR5E.limits.acceleration, own)
    assert (braking <= allowed * 1.001).all()
    assert (braking / allowed).max() > 0.9


def test_a_carried_stop_whose_braking_is_refused_is_the_rest_of_the_motion():
    _, _, (lowest, highest) = peaks(STROKE)
    most = max(-lowest.min(), highest.max()) + 1e-6
    gate = SafetyGate(UR5E, UR5E.limits.tightened({"acceleration": most}, UR5E.joints))
    kinds = set()
    for begin in np.linspace(0.0, STROKE.duration, 21).tolist():
        found = carried_stop(gate, STROKE, begin).checked.trajectory.positions
        tail = rest_of(STROKE, begin).positions
        kinds.add(np.array_equal(found[-len(tail) :], tail))
    assert kinds == {True, False}


def test_a_hold_stays_inside_the_joint_limits_and_looks_at_nothing_else():
    limits = UR5E.limits
    below = UR5E.home + np.array([0.0, 0.75, 0.6, 0.0, 0.0, 0.0])
    with pytest.raises(MotionRefused, match=r"tool z|lowest point"):
        GATE.check(slow_move(UR5E, UR5E.home, below, 0.5), UR5E.home)
    held = hold_on_path(STROKE, 0.3, limits, below).trajectory
    np.testing.assert_array_equal(held.positions[-1], below)
    for far in (limits.upper + 1.0, limits.lower - 1.0):
        end = hold_on_path(STROKE, 0.3, limits, far).trajectory.positions[-1]
        assert ((limits.lower <= end) & (end <= limits.upper)).all()


# --- what a person is shown --------------------------------------------------------------------


def test_the_summary_has_the_distance_of_the_lowest_piece_from_the_floor():
    found = summarise(GATE.check(STROKE, STROKE.positions[0]), GATE)
    q, _, _ = STROKE.sample(np.linspace(0.0, STROKE.duration, 400))
    free = [i for i, piece in enumerate(UR5E.collision_geometry) if piece.link > 1]
    heights = ends(UR5E, UR5E.links(q))[2].min(axis=(0, 2))
    lowest = min(heights[i] - UR5E.collision_geometry[i].radius for i in free)
    assert found.floor_distance == pytest.approx(lowest, abs=1e-4)


def test_a_slow_move_from_nearby_stays_near_the_one_that_was_shown():
    goal = SLIDE.motion(np.array([1.0, 0.0]), UR5E).ready
    off = NEAR * np.array([1, -1, 1, 0.5, -1, 1])
    shown, done = (slow_move(UR5E, q, goal, 0.25) for q in (UR5E.home, UR5E.home + off))
    path, _, _ = shown.sample(np.linspace(0.0, shown.duration, 4000))
    points, _, _ = done.sample(np.linspace(0.0, done.duration, 60))
    away = np.abs(points[:, None] - path[None]).max(axis=2).min(axis=1)
    assert away.max() <= NEAR + 1e-4  # as finely as the path was sampled


# --- real_robot.md -----------------------------------------------------------------------------


def test_the_defaults_of_the_page_are_those_in_force():
    told = {row[0]: row[1:] for row in rows(REAL, "What stands between a number and a joint")}
    memory, scales = RunMemory(), []
    for _ in range(4):
        ramp = memory.ramp("run", CAREFUL["ramp_scale"], CAREFUL["ramp_trials"])
        scales.append(round(100.0 * ramp))
        memory.add("run", np.zeros(2))
    assert scales[3] == 100
    assert "at {}, {}, {} %".format(*scales[:3]) in told["ramp"][0]
    assert f"at {100 * CAREFUL['speed_scale']:.0f} % of the arm's limits" in told["slow moves"][0]
    assert f"{CAREFUL['max_step']:g} by default" in told["step limit `max_step`"][1]


def test_ramp_and_rehearsal_are_switched_off_one_by_one():
    def seen(**rules):
        planner = Planner(SLIDE, UR5E, GATE, ExecutorRules(speed_scale=0.25, **rules), RunMemory())
        plan = planner.shown(planner.plan(np.array([1.0, 0.0]), "run"), UR5E.home)
        moves = [one for one in plan.shown if one.label in ("retreat", "approach")]
        fastest = max(one.summary.speed.share for one in moves)
        return round(fastest, 3), plan.rehearsal is not None

    assert seen(ramp_trials=3, rehearse=True) == (0.075, True)
    assert seen(ramp_trials=3, rehearse=False) == (0.075, False)
    assert seen(ramp_trials=0, rehearse=True) == (0.25, False)


def test_after_a_restart_a_run_counts_as_new():
    rules, far = ExecutorRules(ramp_trials=3, max_step=0.1), np.array([1.5, 0.3])
    memory = RunMemory()
    memory.add("run", np.array([0.7, 0.0]))
    with pytest.raises(MotionRefused, match="max_step"):
        Planner(SLIDE, UR5E, GATE, rules, memory).plan(far, "run")
    plan = Planner(SLIDE, UR5E, GATE, rules, RunMemory()).plan(far, "run")
    assert (plan.slow_scale, plan.dtheta) == (rules.ramp_scale, None)


def test_codes_of_the_page_are_those_of_the_action():
    action = (ROOT / "icpi_msgs" / "action" / "ExecuteMotion.action").read_text(encoding="utf-8")
    known = dict(re.findall(r"^uint16 (\w+)=(\d+)$", action, re.M))
    found = rows(REAL, "What the client gets when a trial fails")
    told = {row[1]: row[0] for row in found if row[0].isdigit()}
    assert len(told) == 11
    assert told.items() <= known.items()


def test_lines_of_the_checklist_are_those_of_the_page():
    told = [row[0].strip("`") for row in rows(REAL, "5. Dry run") if row[0].startswith("`")]
    assert told == list(REPORTED_BY)


def commands(begin):
    """Return what the page says to type, as words; what stands in brackets is left out."""
    lines = re.findall(rf"^    ({begin} .*)$", REAL, re.M)
    return [shlex.split(re.sub(r"\[--.*?\]", "", line), comments=True) for line in lines]


def test_every_command_of_the_page_is_one(monkeypatch):
    found = [words[1:] for words in commands("icpi") if words[1] != "arm"]  # its runs are its own
    for name in {words[0] for words in found}:
        module = import_module(f"icpi_ros.cli.{name.replace('-', '_')}")
        monkeypatch.setattr(module, "run", lambda args: 0)
    assert len(found) > 15
    for words in found:
        assert command_line.main(words) == 0, words
    graphs = [words[1:] for words in found if words[0] == "up"]
    launched = [words[3:] for words in commands("ros2 launch icpi_ros")]
    graphs += [[file.removesuffix("_launch.py"), *given] for file, *given in launched]
    assert len(graphs) >= 4
    for graph, *given in graphs:
        known = {argument.name for argument in GRAPHS[graph]}
        assert {word.split(":=")[0] for word in given if ":=" in word} <= known


def test_the_list_of_runs_says_what_executed_each(tmp_path, capsys):
    path = tmp_path / "trials.sqlite"
    real = Execution(Backend.REAL, arm="fr3", namespace="/cell")
    with TrialStore(path) as store:
        store.create_run(RunConfig("slide", "random", (0.6, 0.42), 3), real)
    assert command_line.main(["runs", "--store", str(path)]) == 0
    assert "on the real graph in namespace /cell with fr3" in capsys.readouterr().out
