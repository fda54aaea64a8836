"""The reader of all YAML files: of bounded size and depth, safe, every key once, numbers decimal.

Exceptions are the texts that this package makes and takes back in itself.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from icpi_ros.core.errors import IcpiError, Kind, Refusal, UsageError
from icpi_ros.core.files import replacing
from icpi_ros.core.text import did_you_mean

if TYPE_CHECKING:
    from yaml import SafeLoader as _BaseLoader
else:
    _BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C: ten times as fast

MAX_DEPTH = 100
"""Lists and mappings inside each other: some ten thousand crash the loader in C."""
_TAG = "tag:yaml.org,2002:"
_INTEGER = r"[-+]?(?:0|[1-9][0-9]{0,17})$"
_FLOAT = (
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?$|"
    r"[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
"""Of the numbers of YAML 1.1 those that are decimal: not 1:30, nor 010, which is 8."""
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


@dataclass(frozen=True)
class FileKind:
    """A kind of text file: its bound and the words of its messages.

    Attributes:
        error: class of its refusals.
        max_bytes: largest size [B].
        name: with a blank behind it, after "cannot read ".
        remedy: after the reason why it cannot be read.
        invalid: start of the message about one that is not valid.
        twice: about a key that is there twice.
    """

    error: type[IcpiError] = UsageError
    max_bytes: int = 1_000_000
    name: str = ""
    remedy: str = ""
    invalid: str = "{path}: not valid YAML"
    twice: str = "key {key!r} is given twice"

    def refused(self, text: str, kind: Kind = Kind.UNREADABLE, key: str = "") -> IcpiError:
        """Return the refusal of a file."""
        return self.error(Refusal(text, kind, key, field=key))


class YamlMapping(dict[Any, Any]):
    """A mapping of a YAML file.

    Attributes:
        lines: of its keys, from 1.
    """

    lines: Mapping[Any, int] = {}


def read_text(path: Path, kind: FileKind) -> str:
    """Return the text of a file.

    Raises:
        IcpiError: it cannot be read, is too large, or is no text; of the kind's class.
    """
    try:
        with path.open("rb") as file:
            content = file.read(kind.max_bytes + 1)
    except OSError as exc:
        why = f"cannot read {kind.name}{path}: {exc.strerror or exc}{kind.remedy}"
        raise kind.refused(why) from exc
    if len(content) > kind.max_bytes:
        raise kind.refused(f"{path} is too large: it has more than {kind.max_bytes} bytes")
    try:
        return content.decode("utf-8")
    except ValueError:
        raise kind.refused(f"{kind.invalid.format(path=path)}: not text in UTF-8") from None


def parse_yaml(text: str, path: Path, kind: FileKind) -> Any:
    """Return what the text of a YAML file holds; ``path`` is for messages.

    Raises:
        IcpiError: it is not valid YAML, or has a key twice; of the kind's class.
    """
    try:
        _check_depth(text)
        return yaml.load(text, Loader=_Loader)  # a subclass of SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        problem = str(getattr(exc, "problem", None) or getattr(exc, "reason", "unreadable"))
        key, sort = "", Kind.UNREADABLE
        if isinstance(exc, _GivenTwice):
            key, sort = problem, Kind.DUPLICATE
            problem = kind.twice.format(key=key)
        text = f"{kind.invalid.format(path=path)}{place}: {' '.join(problem.split())[:200]}"
        raise kind.refused(text, sort, key) from None


def read_yaml(path: Path, kind: FileKind) -> Any:
    """Return what a YAML file holds; see :func:`read_text` and :func:`parse_yaml`."""
    return parse_yaml(read_text(path, kind), path, kind)


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file of plain values; it is whole or not there at all."""
    with replacing(path) as temporary:
        text = yaml.safe_dump(dict(content), sort_keys=False, default_flow_style=None, width=100)
        temporary.write_text(text, encoding="utf-8")


def unknown_key(content: Mapping[Any, Any], known: Collection[str]) -> tuple[Any, str] | None:
    """Return the first key that is not known and a hint for the end of the message; None = none.

    The hint names the key that may be meant, and the line.
    """
    for key in content:
        if key not in known:
            line = content.lines.get(key) if isinstance(content, YamlMapping) else None
            place = f" (line {line})" if line else ""
            return key, did_you_mean(str(key)[:80], known) + place
    return None


def shown(value: Any) -> str:
    """Return a value for a message: one short line, however large it is."""
    return " ".join(_SHORT.repr(value).split())


def number(value: Any) -> Any:
    """Return the number that a text is, such as 1e-3, which YAML 1.1 takes for none; else itself.

    Most programs write such numbers.
    """
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


class _Short(reprlib.Repr):
    repr_YamlMapping = reprlib.Repr.repr_dict  # noqa: N815  # the name is reprlib's


_SHORT = _Short()


class _GivenTwice(yaml.constructor.ConstructorError):
    """A key that a mapping has twice: the second would win without a word."""


class _Loader(_BaseLoader):
    """Safe YAML 1.1 whose numbers are decimal; dates and other numbers are texts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set[str]()
        for item, _ in node.value:
            if item.tag == f"{_TAG}merge":  # a few can grow beyond any memory
                raise _refusal("<< is not read: write the keys out", item)
            if isinstance(item, yaml.ScalarNode):
                if item.value in seen:
                    raise _GivenTwice(None, None, item.value, item.start_mark)
                seen.add(item.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_map(self, node: yaml.MappingNode) -> Generator[YamlMapping, None, None]:
        block = YamlMapping()
        yield block
        block.update(self.construct_mapping(node))
        lines = [item.start_mark.line + 1 for item, _ in node.value]
        block.lines = dict(zip(block, lines, strict=False))

    def construct_undefined(self, node: yaml.Node) -> Any:
        allowed = "a text, a finite number, true, false, a list or a mapping"
        raise _refusal(f"the tag {node.tag} is not read: write {allowed} without a tag", node)


def _refusal(problem: str, at: yaml.Node | yaml.Event) -> yaml.constructor.ConstructorError:
    mark: Any = at.start_mark
    return yaml.constructor.ConstructorError(None, None, problem, mark)


def _set_up() -> None:
    """Let the numbers of YAML 1.1 be decimal, and its dates texts."""
    replaced = tuple(_TAG + name for name in ("int", "float", "timestamp"))
    _Loader.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in forms if tag not in replaced]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for name, form in (("int", _INTEGER), ("float", _FLOAT)):
        _Loader.add_implicit_resolver(_TAG + name, re.compile(form), list("-+.0123456789"))
    _Loader.add_constructor(f"{_TAG}map", _Loader.construct_yaml_map)
    _Loader.add_constructor(None, _Loader.construct_undefined)


_set_up()


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, _OPENING) - isinstance(event, _CLOSING)
        if depth > MAX_DEPTH:
            problem = f"more than {MAX_DEPTH} lists or mappings inside each other"
            raise _refusal(problem, event)
