"""Options of an improver, given to nodes directly."""

import json
import sys

import pytest
import warm


@pytest.mark.slow
@pytest.mark.parametrize(
    ("node", "options", "words"),
    [
        ("policy_improver", {"sigma": "a"}, "option sigma of cma: 'a' is not allowed: a number"),
        ("replay", {"sigme": 1}, "unknown option 'sigme' of cma: choose from"),
    ],
)
def test_a_node_with_a_bad_option_ends_at_its_start(node, options, words):
    parameters = {"task": "slide", "improver": "cma", "options": f"'{json.dumps(options)}'"}
    parameters |= {"player": "false"} if node == "replay" else {}
    given = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
    done = warm.run([sys.executable, "-m", f"icpi_ros.ros.nodes.{node}", "--ros-args", *given])
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
