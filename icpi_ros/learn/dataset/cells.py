"""Values of one column of a Parquet file, as they are: what would lose something is refused.

Numbers become float64: floats of any width, integers and decimals that float64 holds exactly, and
texts that are numbers; an empty cell is NaN.  Groups become int64: integers of any width, and
texts, which are numbered in the order in which they come.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.text import decimal_number, printable
from icpi_ros.core.types import Array, Indices

MAX_WHOLE = 2**53
"""Largest integer up to which float64 holds all of them."""
MAX_DIGITS = 400
"""Longest text of a whole number; float64 ends at 309 digits."""
_WHOLE = re.compile(r"[-+]?\d+", re.ASCII)
_NOT_FINITE = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


def numbers(column: Any) -> Array:
    """Return an Arrow column as float64 ``(N,)``; an empty cell is NaN.

    Raises:
        ValueError: a type or a value that would lose something; continues "column NAME ...".
    """
    from pyarrow import types

    kind = _kind(column)
    if types.is_floating(kind) or types.is_integer(kind):
        return _from_numbers(_decoded(column), types.is_integer(kind))
    if types.is_decimal(kind):
        return _from_objects(column, _exact_decimal)
    if is_text(kind):
        return _from_objects(column, _read_number)
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    raise ValueError(f"has the type {shown_type(kind)}: must hold numbers (float or integer)")


def groups(column: Any) -> Indices:
    """Return an Arrow column as int64 ``(N,)``.

    Raises:
        ValueError: a type or a value that would lose something; continues "column NAME ...".
    """
    from pyarrow import types

    kind = _kind(column)
    if not (types.is_integer(kind) or is_text(kind)):
        raise ValueError(f"has the type {shown_type(kind)}: must hold integers or texts")
    if column.null_count:
        row = next(row for row, cell in enumerate(_objects(column)) if cell is None)
        raise ValueError(f"is empty in row {row}: must hold an integer or a text")
    if is_text(kind):
        known: dict[str, int] = {}
        return np.array([known.setdefault(text, len(known)) for text in _objects(column)], int)
    found = _joined(_decoded(column))
    too_large = found > np.uint64(2**63 - 1) if found.dtype == np.uint64 else np.zeros(0, bool)
    if too_large.any():
        row = int(np.argmax(too_large))
        raise ValueError(f"is {found[row]} in row {row}: must be below 2^63")
    return found.astype(np.int64)


def shown_type(kind: Any) -> str:
    """Return a type of Arrow for a message: one short line."""
    return printable(" ".join(str(kind).split()))[:80]


def _kind(column: Any) -> Any:
    """Return the type of the values, be they stored once and referred to."""
    from pyarrow import types

    return column.type.value_type if types.is_dictionary(column.type) else column.type


def _decoded(column: Any) -> Any:
    return column if _kind(column) == column.type else column.cast(_kind(column))


def is_text(kind: Any) -> bool:
    """Return whether a type of Arrow is that of texts."""
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _from_numbers(column: Any, whole: bool) -> Array:
    import pyarrow as pa

    empty = None
    if column.null_count:
        empty = np.array([not cell.is_valid for cell in column])
        column = pa.chunked_array([chunk.fill_null(0) for chunk in column.chunks], column.type)
    found = _joined(column)
    if whole:
        beyond = found > MAX_WHOLE
        if found.dtype.kind == "i":
            beyond |= found < -MAX_WHOLE
        if beyond.any():
            row = int(np.argmax(beyond))
            raise ValueError(f"is {found[row]} in row {row}: a number beyond 2^53 is not exact")
    values = np.array(found, dtype=np.float64)
    if empty is not None:
        values[empty] = np.nan
    return values


def _joined(column: Any) -> NDArray[Any]:
    """Return a column without gaps; pyarrow's own way imports pandas, 0.2 s."""
    if not column.num_chunks:
        return column.to_numpy()  # type: ignore[no-any-return]
    return np.concatenate([np.from_dlpack(chunk) for chunk in column.chunks])


def _from_objects(column: Any, read: Callable[[Any], float]) -> Array:
    """Return the numbers that ``read`` makes of values; equal ones are read once."""
    known: dict[Any, float] = {None: np.nan}
    found = np.empty(len(column))
    for row, value in enumerate(_objects(column)):
        if value not in known:
            try:
                known[value] = read(value)
            except ValueError as exc:
                raise ValueError(f"{exc} (row {row})") from None
        found[row] = known[value]
    return found


def _objects(column: Any) -> Iterator[Any]:
    """Yield the values; those of a dictionary are not copied for every row."""
    from pyarrow import types

    for chunk in column.chunks:
        if types.is_dictionary(chunk.type):
            values = [*chunk.dictionary.to_pylist(), None]
            yield from (values[index] for index in chunk.indices.fill_null(-1).to_pylist())
        else:
            yield from chunk.to_pylist()


def _exact_decimal(value: Decimal) -> float:
    if Decimal(float(value)) != value:
        raise ValueError(f"is the decimal {value}, which float64 does not hold: cast it")
    return float(value)


def _is_changed(text: str, value: float) -> bool:
    """Tell whether a whole number in digits is another one than ``value``."""
    return len(text) > MAX_DIGITS or int(text) != value


def _read_number(text: str) -> float:
    bare = text.strip()
    if (value := _NOT_FINITE.get(bare.lower())) is not None:
        return value
    try:
        value = decimal_number(bare)
    except ValueError as exc:
        raise ValueError(f"does not hold numbers: {exc}") from None
    if np.isinf(value) or (_WHOLE.fullmatch(bare) and _is_changed(bare, value)):
        raise ValueError(f"holds {printable(bare)[:40]!r}, which float64 does not hold")
    return value
