"""The one way into a fallback: who is asked in turn, what is said of those that failed."""

from dataclasses import replace

import numpy as np
import pytest

from icpi_ros.core.errors import BudgetSpent, CompletionFailed
from icpi_ros.core.types import Proposal
from icpi_ros.improvers.base import first_answer


def answers(name, reason=""):
    return lambda: Proposal(np.zeros(2), name, fallback_reason=reason)


def fails(error):
    def ask():
        raise error

    return ask


def test_the_first_that_answers_is_taken_and_the_reasons_of_the_others_are_kept():
    asked = [
        ("llm", fails(CompletionFailed("no\n  reply"))),
        ("knn", fails(ValueError())),
        ("ridge", answers("embedded", "ridge: too few")),
        ("random", fails(AssertionError("is not asked"))),
    ]
    found = first_answer(asked)
    assert found.provenance == "embedded"
    assert found.fallback_reason == "llm: no reply; knn: ValueError; ridge: too few"
    assert first_answer([("ridge", answers("ridge"))]).fallback_reason == ""
    careless = replace(answers("ridge")(), fallback_reason=None)  # a plug-in's
    assert first_answer([("ridge", lambda: careless)]).fallback_reason == ""


def test_nobody_stands_in_when_the_budget_is_spent():
    with pytest.raises(BudgetSpent):
        first_answer([("llm", fails(BudgetSpent("1 call"))), ("embedded", answers("embedded"))])


def test_where_nobody_answers_the_last_error_is_raised():
    with pytest.raises(KeyError):
        first_answer([("llm", fails(CompletionFailed("no"))), ("embedded", fails(KeyError("k")))])
