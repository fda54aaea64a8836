"""The reader of all YAML files: of bounded size, depth and time, every key once, numbers decimal.

An alias counts as all that it stands for, so that no small text becomes a large content; merge
keys, lists that hold themselves, and tags that do not say what a value is anyway are refused.
Exceptions are the texts that this package makes and takes back in itself.
"""

from __future__ import annotations

import errno
import re
import reprlib
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from icpi_ros.core.errors import IcpiError, Kind, Refusal, UsageError
from icpi_ros.core.files import read_file, replacing
from icpi_ros.core.text import decimal_number, did_you_mean

if TYPE_CHECKING:
    from yaml import SafeLoader as _BaseLoader
else:
    _BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C: ten times as fast

MAX_DEPTH = 100
"""Lists and mappings inside each other: some ten thousand crash the loader in C."""
MAX_NODES = 100_000
"""Keys, values, lists and mappings together, those that aliases stand for included."""
MAX_DIRECTIVES = 10
"""Lines that begin with %: the loader compares each with all others."""
_TAG = "tag:yaml.org,2002:"
_INTEGER = r"[-+]?(?:0|[1-9][0-9]{0,17})$"
_FLOAT = (
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?$|"
    r"[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
"""Of the numbers of YAML 1.1 those that are decimal: not 1:30, nor 010, which is 8."""
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_OWN_TAG = {
    yaml.ScalarEvent: f"{_TAG}str",
    yaml.MappingStartEvent: f"{_TAG}map",
    yaml.SequenceStartEvent: f"{_TAG}seq",
}
"""The tag that changes nothing; any other one could bring in what the rules here leave out."""


_TAGGED = {
    f"{_TAG}int": re.compile(_INTEGER),
    f"{_TAG}float": re.compile(
        rf"{_FLOAT}|[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{{1,3}})?$"
    ),
    f"{_TAG}bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"),
    f"{_TAG}null": re.compile(r"(?:~|null|Null|NULL|)$"),
}
"""Tags of scalars, with the values that they may stand before."""


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


def read_content(path: Path, kind: FileKind) -> bytes:
    """Return the bytes of a file.

    Raises:
        IcpiError: it cannot be read, is no file or is too large; of the kind's class.
    """
    try:
        return read_file(path, kind.max_bytes)
    except OSError as exc:
        why = f"cannot read {kind.name}{path}: {exc.strerror or exc}{kind.remedy}"
        if exc.errno == errno.EFBIG:
            why = f"{path} is too large: {exc.strerror}"
        raise kind.refused(why) from exc
    except ValueError:  # a NUL in its name
        raise kind.refused(f"cannot read {kind.name}{str(path)!r}: not a file name") from None


def read_text(path: Path, kind: FileKind) -> str:
    """Return the text of a file.

    Raises:
        IcpiError: as :func:`read_content`, or it is no text.
    """
    try:
        return read_content(path, kind).decode("utf-8")
    except ValueError:
        raise kind.refused(f"{kind.invalid.format(path=path)}: not text in UTF-8") from None


def parse_yaml(text: str, path: Path, kind: FileKind) -> Any:
    """Return what the text of a YAML file holds; ``path`` is for messages.

    Raises:
        IcpiError: it is not valid YAML, has a key twice, or a bound is exceeded; of the kind's
            class.
    """
    try:
        _check_size(text)
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
        return decimal_number(value) if isinstance(value, str) else value
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
            if isinstance(item, yaml.ScalarNode):
                if item.value in seen:
                    raise _GivenTwice(None, None, item.value, item.start_mark)
                seen.add(item.value)
        found = super().construct_mapping(node, deep)
        if len(found) < len(node.value):  # 1 and 1.0, yes and true
            raise _GivenTwice(None, None, _repeated(self, node), node.start_mark)
        return found

    def construct_yaml_map(self, node: yaml.MappingNode) -> Generator[YamlMapping, None, None]:
        block = YamlMapping()
        yield block
        block.update(self.construct_mapping(node))
        lines = [item.start_mark.line + 1 for item, _ in node.value]
        block.lines = dict(zip(block, lines, strict=False))


def _is_as_tagged(event: Any) -> bool:
    """Tell whether a tag says what a plain scalar is: some writers put one before each."""
    form = _TAGGED.get(event.tag)
    value = event.value if isinstance(event, yaml.ScalarEvent) else None
    return form is not None and value is not None and form.match(value) is not None


def _refusal(problem: str, at: yaml.Event) -> yaml.constructor.ConstructorError:
    mark: Any = at.start_mark
    return yaml.constructor.ConstructorError(None, None, problem, mark)


def _set_up() -> None:
    """Let the numbers of YAML 1.1 be decimal, and its dates texts."""
    replaced = tuple(_TAG + name for name in ("int", "float", "timestamp", "value"))
    _Loader.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in forms if tag not in replaced]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for name, form in (("int", _INTEGER), ("float", _FLOAT)):
        _Loader.add_implicit_resolver(_TAG + name, re.compile(form), list("-+.0123456789"))
    _Loader.add_constructor(f"{_TAG}map", _Loader.construct_yaml_map)


_set_up()


def _repeated(loader: _Loader, node: yaml.MappingNode) -> str:
    """Return the text of the first key that equals another one before it."""
    seen = set[Any]()
    for item, _ in node.value:
        key = loader.construct_object(item, deep=True)
        if key in seen:
            break
        seen.add(key)
    return str(item.value)


def _check_size(text: str) -> None:
    """Refuse a text before anything is made of it that would be too deep or too large."""
    if len(_DIRECTIVE.findall(text)) > MAX_DIRECTIVES:
        problem = f"more than {MAX_DIRECTIVES} lines that begin with %"
        raise yaml.constructor.ConstructorError(None, None, problem)
    count = _NodeCount()
    for event in yaml.parse(text, Loader=_Loader):
        count.add(event)


class _NodeCount:
    """Number of nodes of a text as its events come, those that aliases stand for included."""

    def __init__(self) -> None:
        self._count = 0
        self._open = list[tuple[str | None, int]]()  # anchor, and the count before
        self._sizes = dict[str, int]()

    def add(self, event: yaml.Event) -> None:
        """Count an event; raise the refusal of a text that is too deep or too large."""
        if isinstance(event, _CLOSING):
            self._anchored(*self._open.pop())
            return
        if isinstance(event, yaml.AliasEvent):
            self._count += self._size_behind(event)
        elif isinstance(event, yaml.NodeEvent):
            self._add_node(event)
        if self._count > MAX_NODES:
            raise _refusal(f"more than {MAX_NODES} keys and values", event)

    def _add_node(self, event: Any) -> None:
        if event.tag not in (None, "!", _OWN_TAG[type(event)]) and not _is_as_tagged(event):
            allowed = "a text, a finite number, true, false, a list or a mapping"
            tag = event.tag[:80].replace(_TAG, "!!")
            raise _refusal(f"the tag {tag} is not read: write {allowed} without a tag", event)
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
            raise _refusal("<< is not read: write the keys out", event)  # a few grow beyond bounds
        before = self._count
        self._count += 1
        if not isinstance(event, _OPENING):
            self._anchored(event.anchor, before)
            return
        self._open.append((event.anchor, before))
        if len(self._open) > MAX_DEPTH:
            problem = f"more than {MAX_DEPTH} lists or mappings inside each other"
            raise _refusal(problem, event)

    def _anchored(self, anchor: str | None, before: int) -> None:
        if anchor is not None:
            self._sizes[anchor] = self._count - before

    def _size_behind(self, alias: yaml.AliasEvent) -> int:
        if any(anchor == alias.anchor for anchor, _ in self._open):
            raise _refusal(f"*{alias.anchor} stands for what it is in", alias)
        return self._sizes.get(str(alias.anchor), 1)
