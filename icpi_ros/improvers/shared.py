"""Options that are given once for several improvers: each takes those that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from icpi_ros.core.registry import Registry
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Improver
from icpi_ros.improvers.options import check_names, options_of


def check_shared(
    options: Mapping[str, Any],
    asked: Sequence[str],
    among: Registry[type[Improver]] | None = None,
) -> None:
    """Check options before any improver is asked.

    Args:
        options: JSON values.
        asked: improvers whose values are checked.
        among: improvers that may be asked, too: one of them must have each option, those that
            cannot be loaded left out; None = only those that are asked.

    Raises:
        UnknownName: no such improver.
        InvalidValue: an option that none has, or a value that an asked one does not allow.
    """
    if not options:
        return
    kinds = [IMPROVERS.get(name) for name in asked]
    others = kinds if among is None else among.usable().values()
    known = {name: one for kind in others for name, one in options_of(kind.Options).items()}
    check_names(options, known, " or ".join(asked) if among is None else "any improver")
    for kind in kinds:
        kind.chosen(kind.taken(options))
