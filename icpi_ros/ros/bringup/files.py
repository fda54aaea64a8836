"""The files that the arguments of a graph name, checked before any of its nodes starts.

A node that cannot read its file ends, and with it the graph, after all others have started; some
files are only read when a run begins.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.robots import find_arm
from icpi_ros.ros.bringup.description import NodeSpec, graph
from icpi_ros.ros.bringup.params_file import ParamsFile
from icpi_ros.tasks import find_task


def checked_graph(name: str, given: Mapping[str, str]) -> list[NodeSpec]:
    """Return the nodes of a graph as :func:`.description.graph` does, files checked.

    Raises:
        UsageError: see there; or a file is missing, unreadable, damaged, or loosens a limit: names
            argument and file.
    """
    specs = graph(name, given)
    check_files(specs)
    return specs


def check_files(specs: Sequence[NodeSpec]) -> None:
    """Check all files that parameters of nodes name, those in a ``params_file`` included.

    Raises:
        UsageError: the first that cannot be used; names parameter and file.
    """
    done: set[tuple[str, ...]] = set()
    read = functools.cache(ParamsFile)  # one file, as a rule
    for spec in specs:
        values = _values(spec, read(spec.params_file))
        for name, check in CHECKS.items():
            key = (name, *(str(values.get(n, "")) for n in (name, "task", "arm", "mapping")))
            if values.get(name) and key not in done:
                done.add(key)
                _guarded(name, check, values)


def _values(spec: NodeSpec, file: ParamsFile) -> dict[str, Any]:
    """Return the parameters of a node with those that its file sets."""
    by_file = {name: file.of(spec.full_name, name) for name in spec.parameters}
    return dict(spec.parameters) | {name: found[-1] for name, found in by_file.items() if found}


def _guarded(
    name: str, check: Callable[[Mapping[str, Any]], None], values: Mapping[str, Any]
) -> None:
    try:
        check(values)
    except IcpiError as exc:
        raise UsageError(f"{name}: {exc}") from exc
    except OSError as exc:
        raise UsageError(f"{name}: cannot read {values[name]}: {exc.strerror or exc}") from exc


def _path(values: Mapping[str, Any], name: str) -> Path:
    return Path(str(values[name])).expanduser()


def _task(values: Mapping[str, Any]) -> Any:
    return find_task(str(values["task"]))


def _arm(values: Mapping[str, Any]) -> None:
    find_arm(str(values["arm"]))


def _limits(values: Mapping[str, Any]) -> None:
    from icpi_ros.motion.limits_file import gate_of

    gate_of(find_arm(str(values.get("arm") or _task(values).arm)), str(values["limits"]))


def _calibration(values: Mapping[str, Any]) -> None:
    from icpi_ros.perception.calibration.file import load_camera

    load_camera(_path(values, "calibration"))


def _dataset(values: Mapping[str, Any]) -> None:
    from icpi_ros.learn.dataset.parquet import check_header

    check_header(_path(values, "dataset"), _task(values))


def _store(values: Mapping[str, Any]) -> None:
    """Open a store that is there; of one that is not, see whether it can be made."""
    from icpi_ros.runs.store.store import TrialStore

    path = _path(values, "store").absolute()
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file in it")
    if path.exists():
        with TrialStore(path):
            return
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"cannot make {path}: {folder} cannot be written")


def _learn_from(values: Mapping[str, Any]) -> None:
    """Look the runs up that are named."""
    from icpi_ros.runs.earlier import read_learn_from
    from icpi_ros.runs.store.store import TrialStore, default_path

    _, ids = read_learn_from(str(values["learn_from"]))
    path = _path(values, "store") if values.get("store") else default_path()
    if ids and not path.exists():
        raise UsageError(f"there is no trial store at {path}")
    if ids:
        with TrialStore(path) as store:
            for run_id in ids:
                store.run(run_id)


def _mapping(values: Mapping[str, Any]) -> None:
    from icpi_ros.bags.topics import read_mapping

    read_mapping(_path(values, "mapping"))


def _bag(values: Mapping[str, Any]) -> None:
    from icpi_ros.bags.reader import Bag
    from icpi_ros.bags.topics import read_mapping

    if values.get("player") is False:
        return
    mapping = read_mapping(_path(values, "mapping")) if values.get("mapping") else None
    Bag(_path(values, "bag"), mapping)


def _options(values: Mapping[str, Any]) -> None:
    """Check the JSON, its options, and the catalogue of models that it names."""
    from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS, check_shared
    from icpi_ros.improvers.options import parse_options
    from icpi_ros.llm.client.profile import read_catalogue

    options = parse_options(str(values["options"]))
    check_shared(options, [str(values.get("improver") or DEFAULT_IMPROVER)], IMPROVERS)
    own = options.get("models")
    if isinstance(own, str) and own:
        read_catalogue(Path(own).expanduser())


def _gripper(values: Mapping[str, Any]) -> None:
    """Check the way to a gripper; a task that lets go needs one, but for a dry run."""
    from icpi_ros.settings.gripper import GripperKind, gripper_choice

    kind, task = gripper_choice(str(values["gripper"])).kind, _task(values)
    if kind is not GripperKind.NONE or values.get("dry_run"):
        return
    if task.lets_go(find_arm(str(values.get("arm") or task.arm))):
        raise UsageError(
            f"task {task.name} lets go of the {task.object_body} in its motion: say what opens the "
            "gripper, gripper:=action:NAME, trigger:OPEN or topic:NAME"
        )


CHECKS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "arm": _arm,
    "limits": _limits,
    "calibration": _calibration,
    "dataset": _dataset,
    "store": _store,
    "learn_from": _learn_from,
    "mapping": _mapping,
    "bag": _bag,
    "options": _options,
    "gripper": _gripper,
}
"""By the parameter that names a file, runs or the gripper.  ``params_file`` and ``physics`` are
read for the parameters themselves, ``record`` must not be there yet: the description of the graph
sees to these."""
