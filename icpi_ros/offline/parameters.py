"""What the recorded graph was set to, as far as it bears on its proposals."""

from __future__ import annotations

import json
from dataclasses import dataclass

from icpi_ros.data.bags.reader import Bag
from icpi_ros.data.bags.topics import PARAMETERS

NODE = "policy_improver"


@dataclass(frozen=True)
class RecordedSetup:
    """Parameters of the node that proposed.

    Attributes:
        max_step: see :class:`icpi_ros.motion.step_limit.StepLimit`; 1 = not recorded, or no limit.
        dataset: file of examples; "" = the shipped set, or not recorded.
    """

    max_step: float = 1.0
    dataset: str = ""


def recorded_setup(bag: Bag) -> RecordedSetup:
    """Return what the bag says; one that is no snapshot of parameters is noted."""
    found = RecordedSetup()
    for message in bag.messages((PARAMETERS,)):
        try:
            content = json.loads(message.content.data)
            if content["node"].rpartition("/")[2] == NODE:
                values = content["parameters"]
                step = float(values.get("max_step", 1.0))
                found = RecordedSetup(
                    step if 0.0 < step <= 1.0 else 1.0, str(values.get("dataset", ""))
                )
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            bag.note(f"{PARAMETERS}: a message that is no snapshot of parameters is skipped")
    return found
