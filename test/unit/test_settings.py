"""One table of settings: whatever is made from it takes the same values and refuses the same."""

import argparse
import math

import pytest

from icpi_ros.cli import commands
from icpi_ros.core.errors import InvalidValue
from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS
from icpi_ros.perception.sources import MAX_WINDOW
from icpi_ros.ros.bringup.arguments import arguments
from icpi_ros.ros.bringup.description import NODES, graph
from icpi_ros.ros.following.rules import ExecutorRules
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.settings import table
from icpi_ros.settings.setting import Setting, as_text, made_of
from icpi_ros.settings.table import ARGUMENTS, SETTINGS, check_run, find, of_node
from icpi_ros.tasks import TASKS

NEEDED = {"sim": {}, "real": {}, "replay": {"bag": "bag"}}
COMMANDS = ("run", "replay")
NUMBERS = [s for s in SETTINGS if math.isfinite(s.lower) or math.isfinite(s.upper)]


def option(command, setting):
    """Return what takes the option of a command; None if it has none."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    commands.COMMANDS[command].add_options(parser)
    if setting.name not in {action.dest for action in parser._actions}:
        return None
    flag, words = setting.name.replace("_", "-"), ["bag"] if command == "replay" else []
    return lambda value: parser.parse_args([*words, f"--{flag}={value!r}"])


def argument(name, setting):
    """Return what takes the launch argument of a graph; None if no node of it has it."""
    if name not in setting.graphs or not set(setting.nodes) & set(NODES[name]):
        return None
    return lambda value: graph(name, NEEDED[name] | {setting.name: repr(value)})


def field(setting):
    """Return what takes the field of a run; None if it is none."""
    known = {"task": "slide", "improver": "random", "goal": (0.6, 0.4), "budget": 1}
    if not setting.run:
        return None
    return lambda value: check_run(RunConfig(**known | {setting.run: value}))


def places(setting):
    """Return by name what takes a value as it does in use, and raises if it is not allowed."""
    found = {f"graph {name}": argument(name, setting) for name in NEEDED}
    found |= {f"icpi {command}": option(command, setting) for command in COMMANDS}
    found |= {"RunConfig": field(setting)}
    return {name: take for name, take in found.items() if take}


def edges(setting):
    """Return the ends of its range, and what is the least bit outside of each."""
    step = math.nextafter if isinstance(setting.default, float) else whole_step
    ends = [end for end in (setting.lower, setting.upper) if math.isfinite(end)]
    beyond = [step(end, -math.inf if end == setting.lower else math.inf) for end in ends]
    return ends, beyond


def whole_step(number, towards):
    return number + (1 if towards > 0 else -1)


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.name)
def test_a_range_is_the_same_wherever_a_setting_is_given(setting):
    ends, beyond = edges(setting)
    for name, take in places(setting).items():
        for value in ends:
            take(value)
        for value in [*beyond, math.nan]:
            with pytest.raises((InvalidValue, argparse.ArgumentError)) as refused:
                take(value)
            message = str(refused.value)
            field = (setting.run or setting.name).replace("_", " ")
            assert field in message or setting.name in message.replace("-", "_"), name


def test_the_settings_of_runs_are_in_all_places():
    assert set(places(find("max_step"))) == {
        "graph sim", "graph real", "graph replay", "icpi replay", "RunConfig",
    }  # fmt: skip
    assert set(places(find("seed"))) == {"graph replay", "icpi run", "icpi replay", "RunConfig"}
    assert set(places(find("trials"))) == {"icpi run", "RunConfig"}
    assert set(places(find("target_cost"))) == {"icpi run", "RunConfig"}


@pytest.mark.parametrize("name", NEEDED)
def test_defaults_are_values_of_their_settings(name):
    for argument in arguments(name):
        setting = find(argument.name)
        expected = setting.default if name == "real" else setting.usual
        assert setting.parse(argument.default) == expected
        assert setting.fits(expected)


def test_a_setting_is_added_in_one_place(monkeypatch):
    new = Setting(
        "grip", 0.5, "force", "N", 0.0, 9.0, nodes=("executor",), graphs=("sim", "real"),
        relaxed=1.0,
    )  # fmt: skip
    monkeypatch.setattr(table, "ARGUMENTS", (*ARGUMENTS, new))
    assert new in of_node("executor")
    told = {name: arguments(name)[-1] for name in ("sim", "real")}
    assert {name: (a.name, a.default) for name, a in told.items()} == {
        "sim": ("grip", "1.0"),
        "real": ("grip", "0.5"),
    }
    assert told["sim"].description == "force [N] (0 to 9)"
    assert arguments("replay")[-1].name != "grip"


def test_no_two_settings_of_a_node_or_a_graph_have_one_name():
    for names in (
        [s.name for s in ARGUMENTS],
        *([s.name for s in of_node(node)] for node in table.OWN),
    ):
        assert len(names) == len(set(names))


def test_choices_are_what_is_registered():
    known = {argument.name: argument.choices for argument in arguments("sim")}
    assert set(known["task"]) == set(TASKS.names())
    assert set(known["improver"]) == set(IMPROVERS.names())
    assert known["approval"] == ("true", "false")


def test_what_stands_elsewhere_too_is_the_same():
    assert find("improver").default == DEFAULT_IMPROVER
    assert find("history").upper == MAX_WINDOW


@pytest.mark.parametrize("value", [True, False, 7, 0.25, "text", [0.1, -2.0], []])
def test_a_value_comes_back_from_its_text(value):
    back = Setting("any", type(value)(), "anything").parse(as_text(value))
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ramp_trials", "3.5", "ramp_trials = '3.5' is not allowed: a whole number from 0 to 100"),
        ("ramp_scale", "fast", "ramp_scale = 'fast' is not allowed: a number from 0.05 to 1"),
        ("camera_rate", "inf", "camera_rate = 'inf' is not allowed: a number from 1 to 240 [Hz]"),
        ("target_cost", "-1", "target_cost = '-1' is not allowed: a number, at least 0 [m]"),
        ("approval", "yes", "approval = 'yes' is not allowed: true or false"),
        ("scene", "nobody", "scene = 'nobody' is not allowed: one of service, operator"),
        ("physics", "1;2", "physics = '1;2' is not allowed: numbers with commas between"),
    ],
)
def test_a_text_that_is_not_allowed_is_one_line(name, text, message):
    with pytest.raises(InvalidValue) as refused:
        find(name).parse(text)
    assert str(refused.value) == f"argument {message}"


def test_rules_of_the_executor_have_no_default_where_a_value_is_missing():
    values = {setting.name: setting.default for setting in of_node("executor")}
    assert made_of(ExecutorRules, values).approval is True
    del values["approval"]
    with pytest.raises(KeyError, match="approval"):
        made_of(ExecutorRules, values)
