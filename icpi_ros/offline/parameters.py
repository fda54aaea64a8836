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
        arm: name or description file of the arm whose limits bound the proposals; "" = the
            task's own; None = not recorded: nothing but the parameters' bounds did.
        limits: file of tighter limits; "" = none.
        options: of the improver, JSON; "" = none.  They are only named: a bag may come from
            anybody, and an option can say where a key is sent.
    """

    max_step: float = 1.0
    dataset: str = ""
    arm: str | None = None
    limits: str = ""
    options: str = ""


def recorded_setup(bag: Bag) -> RecordedSetup:
    """Return what the bag says; one that is no snapshot of parameters is noted."""
    found = RecordedSetup()
    for message in bag.messages((PARAMETERS,)):
        try:
            content = json.loads(message.content.data)
            if content["node"].rpartition("/")[2] == NODE:
                values = content["parameters"]
                step = float(values.get("max_step", 1.0))
                arm = values.get("arm")
                found = RecordedSetup(
                    step if 0.0 < step <= 1.0 else 1.0,
                    str(values.get("dataset", "")),
                    None if arm is None else str(arm),
                    str(values.get("limits", "")),
                    str(values.get("options", "")),
                )
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            bag.note(f"{PARAMETERS}: a message that is no snapshot of parameters is skipped")
    return found
