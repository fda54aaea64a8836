"""The page of a run, as its viewers get it: scene, panels, questions, upper edge."""

import threading
from contextlib import closing

import numpy as np
import pytest
from view_client import LIMIT, Viewer, upper_edge
from websockets.exceptions import ConnectionClosed

from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.core.pictures import style
from icpi_ros.core.types import MOVED_BACK, ObjectTrajectory, Proposal, Trial, TrialStatus
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks import TASKS
from icpi_ros.view import panels
from icpi_ros.view.cost_curve import cost_curve
from icpi_ros.view.page import PageAddress, RunPage, Subject, progress_line
from icpi_ros.view.panels import APPROVE, BACK, EDIT, KEPT, LOOKED, trials_table
from icpi_ros.view.playback import motion_of
from icpi_ros.view.question import AskedMotion, QuestionKind, WaitingQuestion

SLIDE = TASKS.get("slide")
MIDDLE = 0.5 * (SLIDE.space.lower + SLIDE.space.upper)


def trial(number, cost, note="", **more):
    times = np.linspace(0.0, 1.0, 5)
    ends = np.array([0.6, -0.15 + 0.1 * number, 0.01])
    path = ObjectTrajectory(times, np.array([0.6, -0.15, 0.01]) + times[:, None] * (ends - 0.1))
    proposal = Proposal(MIDDLE, "embedded", predicted_cost=0.004, predicted_std=0.001)
    values = {"status": TrialStatus.DONE, "cost": cost, "trajectory": path, "note": note}
    return Trial(number, MIDDLE, **{"proposal": proposal} | values | more)


TRIALS = [trial(0, 0.213), trial(1, 0.0012), trial(2, 0.0005)]


def asks(request, text, theta=MIDDLE, lower=SLIDE.space.lower, upper=SLIDE.space.upper, **more):
    """Return a question about a motion, with the path that the executor would name."""
    scale = more.pop("scale", 1.0)
    made = motion_of(SLIDE, UR5E, MIDDLE, scale)
    q, _, _ = made.sample(np.linspace(0.0, made.duration, 20))
    path = UR5E.tool_pose(q)[0] + more.pop("off", 0.0)
    slow = (np.array([[0.3, 0.0, 0.4], [0.4, 0.0, 0.3]]),)
    asked = AskedMotion(theta, lower, upper, scale, made.duration, path, slow)
    return WaitingQuestion(request, QuestionKind.MOTION, text, text, asked, **more)


def scene(request, text, **more):
    return WaitingQuestion(request, QuestionKind.SCENE, text, text, **more)


class Operator:
    """Stand-in for a graph: notes decisions, and lets a test wait for them."""

    def __init__(self):
        self.decided, self.news, self.refusal = [], threading.Semaphore(0), None

    def stop(self):
        return "stopped"

    def reset(self):
        return "released"

    def decide(self, request, kind, theta=()):
        self.decided.append((request, kind, list(theta)))
        self.news.release()
        if self.refusal:
            raise ExecutionFailed(self.refusal)
        return f"{kind} by somebody"

    def next(self):
        assert self.news.acquire(timeout=LIMIT)
        return self.decided[-1]


@pytest.fixture(autouse=True)
def looked_at(monkeypatch):
    """Let a person look at a question for no time at all."""
    monkeypatch.setattr(panels, "LOOK_TIME", 0.0)


def opened(operator=None, operate=False, live=False):
    subject = Subject("slide with embedded", SLIDE, UR5E, SLIDE.default_goal, live=live)
    return closing(RunPage(subject, PageAddress(operate=operate), operator))


@pytest.fixture(scope="module")
def page():
    with opened() as made:
        made.show_trials(TRIALS, 8)
        yield made


@pytest.fixture(scope="module")
def operated():
    operator = Operator()
    with opened(operator, operate=True, live=True) as made:
        yield made, operator


def test_arm_scene_goal_and_paths_are_in_the_scene(page):
    with Viewer(page.link) as viewer:
        viewer.all_of(
            *("/arm/link_6", "/object/0", "/scene/0", "/goal", "/paths/0", "/paths/2", "/ends/1")
        )
        colours = [bytes(viewer.nodes[f"/ends/{n}"]["props"]["color"]) for n in range(3)]
        carried = [name for name in viewer.nodes if name.startswith("/arm/") and "piece" in name]
    assert [f"#{colour.hex()}" for colour in colours] == style.sequence(3), "as in all pictures"
    assert len(carried) == len(UR5E.collision_geometry)


def test_costs_and_trials_stand_beside_it(page):
    with Viewer(page.link) as viewer:
        viewer.until(lambda v: "0.50 mm" in v.text() and "<svg" in v.text())
        text = viewer.text()
        assert viewer.parts["motion"]["options"] == ["trial 2", "trial 1", "trial 0"]
    assert text.index("<td>2</td>") < text.index("<td>0</td>")
    assert "4.00 mm ± 1.00 mm" in text
    assert text.count("<circle") == 3


def test_a_long_run_shows_its_newest_trials():
    many = [trial(n, 0.1) for n in range(101)]
    with opened() as made, Viewer(made.link) as viewer:
        made.show_trials(many, 1000)
        viewer.all_of("/paths/100", "/paths/61")
        viewer.until(lambda v: "<td>100</td>" in v.text() and "<circle" in v.text())
        assert "/paths/60" not in viewer.nodes
        assert "<tr><td>0</td>" not in viewer.text()
        made.show_trials(many[:1])
        viewer.until(lambda v: "/paths/100" not in v.nodes and "/paths/0" in v.nodes)


def test_the_cost_curve_marks_predictions_and_trials_without_a_cost():
    lost = trial(1, np.nan, status=TrialStatus.UNOBSERVED)
    markup = cost_curve([trial(0, 0.1), lost, trial(2, 1e-9)])
    assert markup.count("<circle") == 2
    assert "trial 1: unobserved" in markup
    assert markup.count('stroke-width="9"') == 3
    assert "0.001 mm" in markup
    assert "100 mm" in markup
    assert cost_curve([]).startswith("<p")


def test_the_upper_edge_has_the_verdict(page):
    with upper_edge(page.link) as news:
        assert (
            news()["line"]
            == "213 mm to 1.20 mm in one adjustment, 0.50 mm after two. 3 of 8 trials"
        )


@pytest.mark.parametrize(
    ("costs", "budget", "line"),
    [
        ([], 8, "no trial yet"),
        ([0.1], 1, "100 mm; no adjustment has an outcome yet. 1 of 1 trial"),
        ([0.1, 0.2], 0, "100 mm; not closer in one adjustment. 2 trials"),
        ([0.1, 0.001, 0.5], 3, "100 mm to 1.00 mm in one adjustment. 3 of 3 trials"),
    ],
)
def test_the_verdict_is_one_sentence(costs, budget, line):
    made = [trial(n, cost) for n, cost in enumerate(costs)]
    assert progress_line(made, budget) == line
    lost = trial(0, np.nan, status=TrialStatus.UNOBSERVED)
    assert progress_line([lost]).startswith("No trial was observed. 1 trial")


def test_a_motion_can_be_scrubbed_and_every_viewer_sees_it(page):
    motion = SLIDE.motion(MIDDLE, UR5E).trajectory
    half = 0.5 * motion.duration
    with Viewer(page.link) as viewer, Viewer(page.link) as other:
        viewer.set("time [s]", half)
        wanted = UR5E.links(motion.at(half).position)[6, :3, 3]
        for each in (viewer, other):
            each.until(lambda v: np.allclose(place(v, "/arm/link_6"), wanted))


def place(viewer, name):
    moved = viewer.moved.get((name, "SetPositionMessage"))
    return moved["position"] if moved else np.full(3, np.nan)


@pytest.mark.parametrize("note", ["", "moved back: too fast"])
def test_a_theta_that_was_moved_back_says_so_once(note):
    proposal = Proposal(MIDDLE, "embedded", details={MOVED_BACK: "too fast"})
    moved = trial(0, 0.1, note, proposal=proposal, projected=True)
    assert trials_table([moved], SLIDE.space).count("too fast") == 1


def test_texts_from_models_and_plug_ins_are_no_markup():
    evil = "<img src=x onerror=alert(1)>"
    with opened() as made:
        made.show_trials([trial(0, 0.1, note=evil)])
        made.show_question(asks(1, f"trial {evil}"))
        with Viewer(made.link) as viewer:
            viewer.until(lambda v: v.text().count("onerror") >= 2)
            assert "<img" not in viewer.text()
            assert "&lt;img" in viewer.text()


def test_a_page_that_does_not_operate_has_nothing_to_press():
    with opened(Operator()) as made, Viewer(made.link) as viewer:
        made.show_question(asks(7, "may it move?"))
        viewer.until(lambda v: "may it move?" in v.text() and "read-only" in v.text())
        assert APPROVE not in viewer.parts
        assert [n for n, p in viewer.parts.items() if "_hold_callback_freqs" in p] == ["play"]


def test_a_motion_is_approved_edited_or_rejected_under_its_own_id(operated):
    page, operator = operated
    low, high = SLIDE.space.lower, SLIDE.space.upper
    narrow = (MIDDLE - 0.1 * (high - low), MIDDLE + 0.1 * (high - low))
    with Viewer(page.link) as viewer:
        page.show_question(asks(11, "may it move?", MIDDLE, *narrow))
        viewer.press(APPROVE)
        assert operator.next() == (11, "approve", [])
        viewer.until(lambda v: "approve by somebody" in v.text())
        page.show_question(asks(12, "and this?", MIDDLE, *narrow))
        viewer.until(lambda v: "and this?" in v.text())
        viewer.uuid(SLIDE.space.parameters[0].heading)
        slider = viewer.parts[SLIDE.space.parameters[0].heading]
        assert (slider["min"], slider["max"]) == (narrow[0][0], narrow[1][0])
        viewer.set(SLIDE.space.parameters[0].heading, float(narrow[0][0]))
        viewer.press(EDIT)
        assert operator.next() == (12, "edit", [narrow[0][0], MIDDLE[1]])
        viewer.press("reject")
        assert operator.next() == (12, "reject", [])
        page.show_question(None)


def test_buttons_of_an_earlier_question_reach_nothing(operated):
    page, operator = operated
    before = len(operator.decided)
    with Viewer(page.link) as viewer:
        page.show_question(asks(21, "the first"))
        old = viewer.uuid(APPROVE)
        page.show_question(asks(22, "the second"))
        viewer.until(lambda v: "the second" in v.text())
        viewer.send(old, True)
        viewer.press("reject")
        assert operator.next() == (22, "reject", [])
        page.show_question(None)
    assert len(operator.decided) == before + 1


def test_a_scene_is_confirmed_with_a_button_of_its_own(operated):
    page, operator = operated
    with Viewer(page.link) as viewer:
        page.show_question(scene(31, "is the scene back?"))
        viewer.send(viewer.uuid(BACK), True)
        viewer.until(lambda v: "look at it first" in v.text())
        assert viewer.parts[BACK]["color"] == "violet"
        viewer.set(LOOKED, True)
        viewer.press(BACK)
        assert operator.next() == (31, "clear", [])
        viewer.until(lambda v: v.parts[LOOKED]["value"] is False)
        assert APPROVE not in viewer.parts
        page.show_question(None)


def test_a_decision_that_was_not_taken_says_why(operated):
    page, operator = operated
    operator.refusal = "request 41 appeared less than 1 s ago"
    with Viewer(page.link) as viewer:
        page.show_question(asks(41, "may it move?"))
        viewer.press(APPROVE)
        viewer.until(lambda v: "appeared less than 1 s ago" in v.text())
        operator.next()
        page.show_question(None)
    operator.refusal = None


def test_a_proposed_motion_is_a_ghost_beside_the_arm(operated):
    page, _ = operated
    motion = SLIDE.motion(MIDDLE, UR5E).trajectory
    with Viewer(page.link) as viewer:
        page.show_joints(UR5E.home)
        page.show_question(asks(51, "may it move?"))
        viewer.until(lambda v: v.parts.get("motion", {}).get("options") == ["proposed"])
        begin = UR5E.links(motion.positions[0])[6, :3, 3]
        viewer.set("time [s]", 0.0)
        viewer.until(lambda v: np.allclose(place(v, "/proposed/link_6"), begin))
        home = UR5E.links(UR5E.home)[6, :3, 3]
        np.testing.assert_allclose(place(viewer, "/arm/link_6"), home, atol=1e-6)
        page.show_question(None)


def test_the_camera_image_has_a_panel_once_there_is_one(page):
    with Viewer(page.link) as viewer:
        viewer.until(lambda v: "motion" in v.parts)
        assert "GuiImageMessage" not in viewer.parts
        page.show_image(np.zeros((4, 6, 3), np.uint8))
        viewer.until(lambda v: "GuiImageMessage" in v.parts)


@pytest.mark.parametrize("scalable", [False, True])
def test_a_run_without_a_scene_or_a_goal_on_the_table_is_shown(monkeypatch, scalable):
    from toy_task import TOY

    monkeypatch.setattr(type(TOY), "scalable", scalable)
    subject = Subject("toy", TOY, UR5E, TOY.default_goal)
    with closing(RunPage(subject, PageAddress())) as made:
        made.show_trials([trial(0, 0.1)])
        with Viewer(made.link) as viewer:
            viewer.all_of("/scene/0", "/arm/link_6", "/paths/0")
            viewer.until(lambda v: "<circle" in v.text())
            assert ("drawn at full speed" in viewer.text()) is scalable


def visible(viewer, name):
    return any(m.get("visible") for (n, _), m in viewer.moved.items() if n == name)


def approvable(viewer):
    return viewer.parts.get(APPROVE, {}).get("disabled") is False


def test_a_question_that_came_again_keeps_its_buttons(operated):
    page, _ = operated
    with Viewer(page.link) as viewer:
        page.show_question(asks(61, "may it move?"))
        before = viewer.uuid(APPROVE)
        page.show_question(asks(61, "may it move?"))
        page.show_trials([trial(0, 0.1, note="came after it")])
        viewer.until(lambda v: "came after it" in v.text())
        assert viewer.uuid(APPROVE) == before
        page.show_question(asks(61, "may it move?", theta=MIDDLE + 1e-6))
        viewer.until(lambda v: v.uuid(APPROVE) != before and approvable(v))
        page.show_question(None)
        page.show_trials([])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"theta": np.array([np.nan, 0.0])}, "not 2 numbers"),
        ({"lower": SLIDE.space.upper, "upper": SLIDE.space.lower}, "above its upper ones"),
        ({"upper": np.array([np.inf, 1.0])}, "not 2 numbers"),
        ({"foreign": "another task: toss"}, "another task: toss"),
    ],
)
def test_a_question_that_cannot_be_shown_has_no_button(operated, wrong, why):
    page, _ = operated
    with Viewer(page.link) as viewer:
        page.show_question(asks(62, "may it move?", **wrong))
        viewer.until(lambda v: why.replace(" ", "") in v.text().replace(" ", "").replace("\\", ""))
        assert not {APPROVE, KEPT, EDIT, BACK, "reject"} & viewer.parts.keys()
        page.show_question(None)


def test_a_scene_of_another_task_has_no_button(operated):
    page, _ = operated
    with Viewer(page.link) as viewer:
        page.show_question(scene(63, "is it back?", foreign="another task: toss"))
        viewer.until(lambda v: "another task: toss" in v.text())
        assert not {BACK, LOOKED, "reject"} & viewer.parts.keys()
        page.show_question(None)


def test_a_motion_other_than_the_drawn_one_is_not_approved_here(operated):
    page, operator = operated
    with Viewer(page.link) as viewer:
        page.show_question(asks(64, "may it move?", off=0.01))
        viewer.until(lambda v: "mm off the drawn one" in v.text())
        viewer.until(lambda v: "/asked/stroke" in v.nodes)
        assert APPROVE not in viewer.parts
        assert not visible(viewer, "/proposed")
        viewer.press("reject")
        assert operator.next() == (64, "reject", [])
        page.show_question(None)


def test_the_ghost_is_as_slow_as_the_motion_that_was_checked(operated):
    page, _ = operated
    with Viewer(page.link) as viewer:
        page.show_question(asks(65, "may it move?", scale=0.5))
        full = SLIDE.motion(MIDDLE, UR5E).trajectory.duration
        viewer.until(approvable)
        assert viewer.parts["time [s]"]["max"] == pytest.approx(2.0 * full, abs=0.01)
        viewer.all_of("/asked/stroke", "/asked/slow_0")
        page.show_question(None)
        viewer.until(lambda v: "/asked/stroke" not in v.nodes)


def test_a_past_trial_does_not_move_the_ghost_of_what_waits():
    with opened(Operator(), operate=True, live=True) as made, Viewer(made.link) as viewer:
        made.show_trials([trial(0, 0.2)])
        made.show_question(asks(66, "may it move?"))
        viewer.until(approvable)
        begin, end = (
            UR5E.links(motion_of(SLIDE, UR5E, MIDDLE).positions[i])[6, :3, 3] for i in (0, -1)
        )
        viewer.set("motion", "trial 0")
        viewer.until(lambda v: visible(v, "/ghost"))
        viewer.set("time [s]", 0.0)
        viewer.until(lambda v: np.allclose(place(v, "/ghost/link_6"), begin))
        np.testing.assert_allclose(place(viewer, "/proposed/link_6"), end, atol=1e-6)
        colours = {
            tuple(m["props"]["color"]) for n, m in viewer.nodes.items() if "/link_6/piece" in n
        }
    assert len(colours) == 3


def test_a_question_is_looked_at_before_it_is_approved(monkeypatch, operated):
    page, operator = operated
    monkeypatch.setattr(panels, "LOOK_TIME", 3600.0)
    before = len(operator.decided)
    with Viewer(page.link) as viewer:
        page.show_question(asks(67, "may it move?", kept=True))
        assert viewer.uuid(KEPT)
        assert APPROVE not in viewer.parts
        assert viewer.parts[KEPT]["disabled"]
        assert viewer.parts[EDIT]["disabled"]
        viewer.send(viewer.uuid(KEPT), True)
        viewer.until(lambda v: "look at it first" in v.text())
        assert len(operator.decided) == before
        viewer.press("reject")
        assert operator.next() == (67, "reject", [])
        page.show_question(None)


def test_a_closed_page_is_dead_and_its_buttons_reach_nothing():
    operator = Operator()
    with opened(operator, operate=True, live=True) as made, Viewer(made.link) as viewer:
        made.show_question(asks(68, "may it move?"))
        viewer.until(approvable)
        made.close()
        with pytest.raises(ConnectionClosed):
            viewer.until(lambda v: False)
        with pytest.raises(OSError, match="refused"):
            Viewer(made.link)
        made.say("too late")  # reaches nobody, and does not raise
        assert operator.decided == []
