"""Text files of arms, read with care: of bounded size, without surprises in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from icpi_ros.core.errors import DescriptionError, Kind, Refusal

LARGEST = 1_000_000
"""Bytes; a description has some thousand, an arm's URDF some ten thousand."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice: the second would win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [item.value for item, _ in node.value if isinstance(item, yaml.ScalarNode)]
        for item, _ in node.value:
            if isinstance(item, yaml.ScalarNode) and keys.count(item.value) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {item.value!r} is given twice", item.start_mark
                )
        return super().construct_mapping(node, deep)


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        DescriptionError: it cannot be read, is too large, or is no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8")
    except OSError as exc:
        why = f"cannot read {path}: {exc.strerror or exc}"
        raise DescriptionError(Refusal(why, Kind.UNREADABLE)) from None
    except ValueError:
        why = f"{path} is not text in UTF-8"
        raise DescriptionError(Refusal(why, Kind.UNREADABLE)) from None
    if len(content) > LARGEST:
        why = f"{path} has more than {LARGEST} bytes: this is no arm's file"
        raise DescriptionError(Refusal(why, Kind.UNREADABLE))
    return text


def parse_yaml(text: str, path: Path) -> Any:
    """Return what the text of a YAML file holds; ``path`` is for messages.

    Raises:
        DescriptionError: it is not valid YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a subclass of SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        problem = " ".join(str(getattr(exc, "problem", None) or "unreadable").split())
        why = f"{path}: not valid YAML{place}: {problem}"
        raise DescriptionError(Refusal(why, Kind.UNREADABLE)) from None
