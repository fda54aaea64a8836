"""How often simulated time is told, and that a free-running one waits for nothing."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icpi_ros.ros.sim import pacer
from icpi_ros.ros.sim.pacer import Pacer, Sparing

PERIOD = 0.01
JITTER = st.floats(-0.45 * PERIOD, 0.45 * PERIOD)


@given(st.lists(JITTER, min_size=2, max_size=300), st.floats(0.1, 1e6))
def test_every_tick_at_real_time_passes_whatever_its_jitter(jitter, begin):
    pace = Sparing(PERIOD)
    assert all(pace.passes(begin + k * PERIOD + late) for k, late in enumerate(jitter))


@given(st.lists(st.floats(0.0, 0.03), min_size=1, max_size=500))
def test_not_more_than_one_per_period_on_average_and_no_long_silence(gaps):
    pace, now, passed = Sparing(PERIOD), 1.0, [1.0]
    assert pace.passes(now)
    for gap in gaps:
        now += gap
        if pace.passes(now):
            passed.append(now)
        assert now - passed[-1] <= PERIOD + gap
    assert len(passed) <= (now - 1.0) / PERIOD + 2.0 + 1e-6


def test_a_free_running_simulation_that_moves_waits_for_no_clock(monkeypatch):
    def waited(*_):
        raise AssertionError("it waited")

    monkeypatch.setattr(pacer.time, "sleep", waited)
    wake = SimpleNamespace(is_set=lambda: False, clear=lambda: None, wait=waited)
    free = Pacer(0.0)
    for tick in range(1000):
        free.wait(tick * 10_000_000, True, wake)
    free.wait(0, False, wake)  # an idle one leaves the processor to others, from its second tick on
    with pytest.raises(AssertionError, match="it waited"):
        free.wait(10**12, False, wake)


def test_a_free_running_simulation_slows_down_tick_by_tick_once_nothing_moves(monkeypatch):
    now, waits = [50.0], []

    def wait(seconds):
        waits.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(pacer, "time", SimpleNamespace(monotonic=lambda: now[0]))
    wake = SimpleNamespace(is_set=lambda: False, clear=lambda: None, wait=wait)
    free, period = Pacer(0.0), 10_000_000
    for begin in (0, 100):
        free.wait(begin * period, True, wake)
        for tick in range(8):
            free.wait((begin + 1 + tick) * period, False, wake)
        first = [pacer.FIRST_PAUSE * 2**n for n in range(4)]
        assert waits == pytest.approx([*first, *[0.01 / pacer.IDLE] * 3])
        waits.clear()
