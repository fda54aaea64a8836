"""Mixing of arms and of ways of execution: their identities, and the refusal to mix them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from icpi_ros.core.errors import DatasetError
from icpi_ros.learn.dataset.execution import UNKNOWN, Execution, arm_hash, mixture
from icpi_ros.robots.base import Arm


@dataclass(frozen=True)
class ArmId:
    """Identity of an arm: its name, and the hash of its description (:func:`arm_hash`)."""

    name: str = UNKNOWN
    hash: str = UNKNOWN

    @classmethod
    def of(cls, arm: Arm) -> ArmId:
        """Return that of an arm that is here."""
        return cls(arm.name, arm_hash(arm))

    @classmethod
    def of_way(cls, way: Execution) -> ArmId:
        """Return that of a way of execution."""
        return cls(way.arm, way.arm_hash)

    def __str__(self) -> str:
        """Return ``ur5e (description 0123456789abcdef)``; no hash where it is unknown."""
        return self.name if self.hash == UNKNOWN else f"{self.name} (description {self.hash})"

    def differs(self, other: ArmId) -> bool:
        """Return whether it is another arm; what is unknown on either side differs from nothing."""
        pairs = ((self.name, other.name), (self.hash, other.hash))
        return any(UNKNOWN not in pair and pair[0] != pair[1] for pair in pairs)


def distinct(arms: Iterable[ArmId]) -> tuple[ArmId, ...]:
    """Return every known arm once, in order; the same name without a hash adds nothing."""
    known = list(dict.fromkeys(arm for arm in arms if arm.name != UNKNOWN))
    hashed = {arm.name for arm in known if arm.hash != UNKNOWN}
    return tuple(arm for arm in known if arm.hash != UNKNOWN or arm.name not in hashed)


def two_arms(arms: Sequence[ArmId]) -> tuple[ArmId, ArmId] | None:
    """Return the first two that are not the same arm; None = all may be one."""
    for n, arm in enumerate(arms):
        for other in arms[:n]:
            if other.differs(arm):
                return other, arm
    return None


def two_ways(ways: Iterable[tuple[str, Execution]]) -> str:
    """Return the first two of several ways that differ in arm or backend; empty = none.

    Args:
        ways: name, such as ``run 3``, and way of execution of each.
    """
    known: list[tuple[str, Execution]] = []
    for what, way in ways:
        for other, before in known:
            if mixture(before, way):
                return f"{other} {_described(before, way)} and {what} {_described(way, before)}"
        if way not in (before for _, before in known):
            known.append((what, way))
    return ""


def _described(way: Execution, other: Execution) -> str:
    """Return a way in words; with the hash of its arm where the names are equal."""
    alike = way.backend is other.backend and way.arm == other.arm
    return f"{way} (description {way.arm_hash})" if alike else str(way)


def refuse_ways(found: str, what: str, instead: str, mix: bool) -> str:
    """Return the mixture that is meant; ``found`` is the answer of :func:`two_ways`.

    Raises:
        DatasetError: arms or backends would be mixed, and ``mix`` is false.
    """
    if found and not mix:
        raise DatasetError(
            f"{what} would mix arms or backends: {found}; {instead}, or give --mix if mixing is "
            "meant"
        )
    return found
