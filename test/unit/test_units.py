"""Lengths as they are written on a command line, and as they are shown."""

import argparse
import re

import pytest

from icpi_ros.cli.arguments import length, of_space, quantities
from icpi_ros.cli.main import whole_parser
from icpi_ros.cli.options.data import named_range
from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.units import millimetres, multiple, parse_length
from icpi_ros.runs.run import Run
from icpi_ros.settings.table import SETTINGS
from icpi_ros.tasks import TASKS


@pytest.mark.parametrize("text", ["5mm", "0.5cm", "0.005", "0.005m", " 5 mm ", "5e-3", "+.5cm"])
def test_one_length_in_all_its_forms_is_one_number(text):
    assert parse_length(text) == 0.005


@pytest.mark.parametrize("text", ["5", "1", "-30", "1e3"])
def test_a_bare_number_that_cannot_be_metres_is_refused_with_what_to_write(text):
    with pytest.raises(InvalidValue, match=re.escape(f"{text}mm, {text}cm or {text}m")):
        parse_length(text)
    assert parse_length(f"{text}m") == parse_length(text, max_bare=float("inf")) == float(text)


NO_LENGTHS = ["", "mm", "5 inch", "nan", "inf", "1e400", "5mmm", "5,0", "\uff15mm"]


@pytest.mark.parametrize("text", NO_LENGTHS)
def test_what_is_no_length_is_refused(text):
    with pytest.raises(InvalidValue, match="is not a length: write 5mm"):
        parse_length(text)


@pytest.mark.parametrize(
    ("metres", "shown"),
    [(0.0, "0.00 mm"), (1e-6, "0.001 mm"), (1e-5, "0.01 mm"), (4e-5, "0.04 mm"),
     (1e-4, "0.10 mm"), (0.005, "5.00 mm"), (-0.0123, "-12.3 mm"), (0.42, "420 mm"),
     (float("nan"), "-"), (float("inf"), "-")],
)  # fmt: skip
def test_lengths_are_shown_in_millimetres(metres, shown):
    assert millimetres(metres) == shown


# --- options ------------------------------------------------------------------------------------


def actions(parser):
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from actions(below)


def test_every_option_in_metres_takes_lengths():
    names = {f"--{setting.name.replace('_', '-')}" for setting in SETTINGS if setting.unit == "m"}
    found = set()
    for action in actions(whole_parser()):
        metres = "[m]" in str(action.help) or names & set(action.option_strings)
        if metres and action.type is not None:
            value = action.type("30mm")
            assert value in (0.03, [0.03]), action.option_strings
            found |= set(action.option_strings)
    lengths = {"--target-cost", "--noise", "--threshold", "--square", "--marker-size"}
    assert found == {*lengths, "--pose-transform"}
    assert names <= found


def test_a_length_has_its_range():
    assert length(0.0, 0.1)("10cm") == 0.1
    with pytest.raises(argparse.ArgumentTypeError, match="'11cm': allowed are lengths 0 to 100 mm"):
        length(0.0, 0.1)("11cm")


def test_components_of_a_goal_are_metres_or_lengths():
    space = TASKS.get("slide").goal_space
    assert of_space("--goal", quantities("0.6,42cm"), space) == [0.6, 0.42]
    assert of_space("--goal", quantities("7,1200mm"), space) == [7.0, 1.2]  # bounds: the task's
    assert named_range("x=550mm:0.6") == ("x", (0.55, 0.6))


def test_only_components_that_are_lengths_take_them():
    space = ParameterSpace((Parameter("x", "m", 0.0, 1.0), Parameter("turn", "rad", 0.0, 1.0)))
    assert of_space("--goal", quantities("5mm,0.5"), space) == [0.005, 0.5]
    with pytest.raises(
        UsageError, match=re.escape("--goal: turn is no length: write a number [rad]")
    ):
        of_space("--goal", quantities("5mm,5mm"), space)


# --- what people are shown ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "shown"),
    [
        (0.0371, "0.037 x"),
        (0.4, "0.4 x"),
        (1.0, "1 x"),
        (2.44, "2.4 x"),
        (9.96, "10 x"),
        (123.4, "123 x"),
    ],
)
def test_a_factor_is_never_nothing(factor, shown):
    assert multiple(factor) == shown


def test_a_run_says_in_millimetres_why_it_ended():
    run = Run("slide", improver="random", target_cost=0.02, trials=3)
    run.ask()
    run.tell([0.003, 0.004])
    assert run.reason == "target reached: 5.00 mm, at most 20.0 mm asked"


def test_a_quantity_without_a_unit_is_shown_without_one():
    space = ParameterSpace((Parameter("share", "1", 0.0, 1.0),))
    assert space.parameters[0].heading == "share"
    assert space.describe([0.5]) == "share=0.5"
    with pytest.raises(InvalidValue, match=r"theta share = 2 is out of bounds: allowed 0 to 1$"):
        space.validate([2.0])
