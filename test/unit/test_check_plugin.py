"""`icpi check-plugin`: the contract of other people's parts, and how it says what is wrong."""

import outsider
import pytest

from icpi_ros.cli.main import main
from icpi_ros.testing.contract import CONTRACTS, checks

IMPROVER = """
import numpy as np
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Improver
from icpi_ros.core.types import Proposal


class Mine(Improver):
    name, summary, needs_dataset = "mine", "for tests", False
    calls = 0

    def propose(self, history, rng):
        {body}


IMPROVERS.register("mine", Mine)
"""
LAST = "history[-1].theta"


@pytest.fixture(autouse=True)
def _forgotten():
    with outsider.forgotten():
        yield


def check(path, capsys):
    code = main(["check-plugin", str(path)])
    out, err = capsys.readouterr()
    assert not err
    return code, out.splitlines()


def test_what_the_documents_show_passes(tmp_path, capsys):
    _, nearby = outsider.write_files(tmp_path)
    code, lines = check(nearby, capsys)
    assert (code, lines[-1]) == (0, "7 of 7 checks passed")
    assert all(line.startswith("ok      improver nearby: ") for line in lines[:-1])


@pytest.mark.slow
def test_a_task_passes_and_one_whose_arm_is_too_slow_does_not(tmp_path, capsys):
    push, _ = outsider.write_files(tmp_path)
    code, lines = check(push, capsys)
    assert (code, lines[-1]) == (0, "11 of 11 checks passed"), lines
    fast = tmp_path / "fast.py"
    text = push.read_text().replace("0.3, 1.0, ", "0.3, 9.0, ").replace('"push"', '"fast"')
    fast.write_text(text)
    code, lines = check(fast, capsys)
    assert code == 1
    (line,) = [line for line in lines if "safety gate" in line]
    assert line.startswith("FAILED  task fast: Every theta in the box gives a motion")
    assert "MotionRefused" in line


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        (f"return Proposal({LAST} * np.nan, 'mine')", "Every proposal is finite"),
        (f"return Proposal(np.random.rand(2) + {LAST}, 'mine')", "asked again, it answers other"),
        (f"return Proposal({LAST}, 'mine')", "is a trial's own array: copy it"),
        (f"return Proposal({LAST} + 0.1, 'other')", "provenance 'other' is no improver"),
        (f"{LAST}[:] = 1.0; return Proposal({LAST} + 0.1, 'mine')", "ValueError: assignment dest"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("self.calls += 1; return Proposal(np.ones(2) * self.calls, 'mine')", "than a new one"),
    ],
)
def test_an_improver_that_breaks_the_contract_is_told_how(tmp_path, capsys, body, failed):
    path = tmp_path / "mine.py"
    path.write_text(IMPROVER.format(body=body))
    code, lines = check(path, capsys)
    assert code == 1
    assert any(line.startswith("FAILED  improver mine: ") and failed in line for line in lines)
    assert lines[-1].endswith("of 7 checks passed")


def test_what_cannot_be_loaded_is_wrong_usage(tmp_path, capsys):
    assert main(["check-plugin", str(tmp_path / "missing.py")]) == 2
    assert main(["check-plugin"]) == 2
    assert "nothing to check" in capsys.readouterr().err


def test_an_arm_of_a_file(tmp_path, capsys):
    path = outsider.long_arm(tmp_path)
    plugin = tmp_path / "arm.py"
    plugin.write_text(
        f"from icpi_ros.robots import ARMS\nARMS.register({path.stem!r}, {str(path)!r})\n"
    )
    code, lines = check(plugin, capsys)
    assert (code, len(lines)) == (0, len(CONTRACTS[2][1]) + 1)
    assert lines[0].startswith(f"ok      arm {path.stem}: ")


def test_what_comes_with_the_package_is_left_to_our_own_tests():
    assert list(checks()) == []


def test_the_sensor_source_of_the_documents_passes_and_one_without_a_type_does_not(
    tmp_path, capsys
):
    good, bad = tmp_path / "pointed.py", tmp_path / "bare.py"
    text = outsider.block("perception.md", "python")
    good.write_text(text, encoding="utf-8")
    code, lines = check(good, capsys)
    assert (code, lines[-1]) == (0, "2 of 2 checks passed")
    bad.write_text(text.replace("geometry_msgs/msg/", "").replace('r("pointed', 'r("bare'))
    code, lines = check(bad, capsys)
    assert (code, lines[-1]) == (1, "1 of 2 checks passed")
    assert "message_type = 'PointStamped': write package/msg/Name" in lines[0]
