"""Joint states of many drivers in bags: what a motion is learnt from, and what is refused."""

import numpy as np
import pytest
from bag_data import START, STORE, header, make
from rosbags.rosbag2 import StoragePlugin, Writer

from icpi_ros.bags.joint_states import recorded_joints
from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.robots import find_arm
from icpi_ros.testing.demonstrations import pushed

ARM = find_arm("ur5e")
SHOWN = pushed(ARM, 1)
KIND = "sensor_msgs/msg/JointState"
RNG = np.random.default_rng(1)


def state(ns, q, names=ARM.joints, velocity=(), effort=()):
    named = dict(zip(ARM.joints, q, strict=True))
    return make(
        KIND,
        header=header(ns, ""),
        name=list(names),
        position=np.array([named.get(name.removeprefix("ur_"), 0.5) for name in names]),
        velocity=np.array(velocity, dtype=np.float64),
        effort=np.array(effort, dtype=np.float64),
    )


def usual(ns, q):
    return state(ns, q, velocity=[0.0] * 6, effort=[0.0] * 6)


def stamps():
    return [START + round(1e9 * time) for time in SHOWN.times]


def recorded(path, messages):
    """The recording of messages, in the order in which they came."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/joint_states", KIND, typestore=STORE)
        for n, msg in enumerate(messages):
            writer.write(connection, START + 8_000_000 * n, STORE.serialize_cdr(msg, KIND))
    return recorded_joints(path, ARM)


DRIVERS = {
    "no velocity, no effort": state,
    "NaN velocity": lambda ns, q: state(ns, q, velocity=[np.nan] * 6),
    "effort alone": lambda ns, q: state(ns, q, effort=[1.0] * 6),
    "names sorted": lambda ns, q: state(ns, q, sorted(ARM.joints)),
    "names in any order": lambda ns, q: state(ns, q, RNG.permutation(ARM.joints).tolist()),
    "a gripper beside it": lambda ns, q: state(ns, q, ["finger", *ARM.joints, "rail"]),
    "a prefix": lambda ns, q: state(ns, q, [f"ur_{joint}" for joint in ARM.joints]),
    "velocity of other size": lambda ns, q: state(ns, q, velocity=[0.0]),
}


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_positions_are_all_that_is_needed(tmp_path, driver):
    found = recorded(
        tmp_path / "bag",
        [driver(ns, q) for ns, q in zip(stamps(), SHOWN.positions, strict=True)],
    )
    np.testing.assert_array_equal(found.positions, SHOWN.positions)
    np.testing.assert_allclose(found.times, SHOWN.times, atol=1e-8)


@pytest.mark.parametrize("most", [2, 3, 5, 9, 12])
def test_states_that_overtook_each_other_are_put_in_order(tmp_path, most):
    count = len(SHOWN.times)
    arrival = np.argsort(np.arange(count) + np.random.default_rng(most).uniform(0, most, count))
    told = [usual(stamps()[i], SHOWN.positions[i]) for i in arrival.tolist()]
    found = recorded(tmp_path / "bag", told)
    np.testing.assert_array_equal(found.positions, SHOWN.positions)
    (remark,) = found.remarks
    assert "states came late: sorted by stamp" in remark


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n, ns: ns if n < 60 else ns - 3 * 10**9, "lies before the one before it"),
        (lambda n, ns: START, "time 0.000000 s repeats"),
        (lambda n, ns: ns if n < 60 else stamps()[60], "repeats the one before it"),
        (lambda n, ns: ns if n < 60 else ns + 10**9, "gap of 1.0"),
        (lambda n, ns: ns // 10**9 * 10**9, "repeats the one before it"),
    ],
    ids=["restart", "one stamp", "stands still", "leaps", "whole seconds"],
)
def test_stamps_that_make_no_path_are_refused(tmp_path, change, words):
    told = [
        usual(change(n, ns), q)
        for n, (ns, q) in enumerate(zip(stamps(), SHOWN.positions, strict=True))
    ]
    with pytest.raises(InvalidValue, match=words):
        recorded(tmp_path / "bag", told)


@pytest.mark.parametrize("names", [ARM.joints[:5], ("a", "b"), ()])
def test_a_bag_without_the_arm_names_what_it_has(tmp_path, names):
    told = [state(ns, q, names) for ns, q in zip(stamps(), SHOWN.positions, strict=True)]
    with pytest.raises(UsageError, match=r"no joint states of arm ur5e .* its joints are"):
        recorded(tmp_path / "bag", told)
