"""The file of parameters of a graph: what it sets for which node, and what it may not set.

ROS lets a file win over the parameters of a command line without a word.  So it is read here too,
before any node starts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icpi_ros.core.errors import UsageError
from icpi_ros.core.yaml_files import FileKind, read_yaml

PARAMS_FILE = FileKind()
"""Its keys are not checked: it may be for other nodes too, whose parameters only they know."""
VALUES = "ros__parameters"
"""The key below which the parameters of a node stand."""
ARGUMENT_OF = {"folder": "record"}
"""Parameters that are not named as the argument that sets them."""


@dataclass(frozen=True)
class ParamsSection:
    """Parameters of the nodes that one pattern names.

    Attributes:
        pattern: absolute name of a node; ``*`` is one part of it, ``**`` any number of parts.
        values: by the name of the parameter.
    """

    pattern: str
    values: Mapping[str, Any]

    def names(self, node: str) -> bool:
        """Tell whether the absolute name ``node`` matches, by the rules of ROS."""
        parts = {"**": r"(/\w+)*", "*": r"/\w+"}
        found = [parts.get(part, "/" + re.escape(part)) for part in self.pattern.split("/") if part]
        return re.fullmatch("".join(found), node) is not None


class ParamsFile:
    """Parameters in a YAML file, in every form that ROS takes; None = no file, which sets nothing.

    Raises:
        UsageError: it cannot be read, or is not a mapping of nodes to parameters.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path
        content = read_yaml(Path(path), PARAMS_FILE) if path else {}
        if content is not None and not isinstance(content, dict):
            raise UsageError(f"{path}: not a file of parameters: write NODE: {VALUES}: NAME: VALUE")
        self._sections = tuple(_sections("", content or {}))

    def of(self, node: str, name: str) -> list[Any]:
        """Return what it sets parameter ``name`` of the absolute name ``node`` to.

        More than one section may match: which of them ROS takes is not asked.
        """
        matching = (section.values for section in self._sections if section.names(node))
        return [values[name] for values in matching if name in values]

    def check(self, node: str, parameters: Mapping[str, Any], given: Mapping[str, str]) -> None:
        """Refuse a file that contradicts an argument.

        Args:
            node: absolute name.
            parameters: what the arguments make of its parameters, by name.
            given: the arguments that the user gave, by name.

        Raises:
            UsageError: it does; names file, node, parameter, both values and the remedy.
        """
        for name, asked in parameters.items():
            argument = ARGUMENT_OF.get(name, name)
            for value in self.of(node, name) if argument in given else ():
                if value != asked:
                    raise UsageError(
                        f"{self.path} sets {name} of {node} to {_shown(value)}, but "
                        f"{argument}:={given[argument]} was given: remove one of the two"
                    )


def _sections(prefix: str, content: Mapping[Any, Any]) -> Iterator[ParamsSection]:
    """Yield the sections of a file; its keys are namespaces or nodes, one or more parts each."""
    for key, value in content.items():
        if not isinstance(value, dict):
            continue
        if key == VALUES:
            yield ParamsSection(prefix, value)
        else:
            yield from _sections(f"{prefix}/{str(key).strip('/')}", value)


def _shown(value: Any) -> str:
    """Return a value as YAML has it, on one line."""
    return json.dumps(value, default=str, skipkeys=True)
