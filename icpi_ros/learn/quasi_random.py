"""Scrambled Sobol' points and quantiles, the same bits as ``scipy.stats``, without its import.

``scipy.stats`` takes longer to import (0.3 to 0.6 s) than all else that a process does before its
first proposal.  The points are those of ``qmc.Sobol``: direction numbers of Joe and Kuo (SIAM J.
Sci. Comput. 30, 2008), which scipy brings as a file, a random linear matrix scramble (Matousek,
J. Complexity 14, 1998) and a digital shift.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.types import Array

BITS = 30
"""Binary places of a point."""
_DIRECTIONS = "stats/_sobol_direction_numbers.npz"
_Bits = NDArray[np.uint32]
_POWERS: _Bits = np.uint32(1) << np.arange(BITS, dtype=np.uint32)


def sobol(dim: int, count: int, seed: int) -> Array:
    """Return the first ``count`` points ``(count, dim)`` in [0, 1) of the sequence of a seed.

    ``count`` is a power of 2, or the points are not balanced.
    """
    directions = _directions(dim, _DIRECTIONS)
    if directions is None:
        from scipy.stats import qmc  # of another layout than ours

        return np.asarray(qmc.Sobol(dim, rng=np.random.default_rng(seed)).random(count))
    (rng,) = np.random.default_rng(seed).spawn(1)
    shift = rng.integers(2, size=(dim, BITS), dtype=np.uint32) @ _POWERS
    scrambled = _scrambled(directions, rng.integers(2, size=(dim, BITS, BITS), dtype=np.uint32))
    numbers = np.arange(count - 1, dtype=np.uint32)
    changed = np.searchsorted(_POWERS, ~numbers & (numbers + np.uint32(1)))  # lowest zero bits
    steps = np.concatenate([shift[np.newaxis], scrambled.T[changed]])
    return np.asarray(np.bitwise_xor.accumulate(steps, axis=0) * 2.0**-BITS)


def normal_quantiles(shares: Array) -> Array:
    """Return the quantiles of the standard normal distribution at ``shares`` between 0 and 1."""
    from scipy.special import ndtri

    return np.asarray(ndtri(shares) + 0.0)


def chi_squared_quantiles(shares: Array, freedom: int) -> Array:
    """Return the quantiles of the chi-squared distribution at ``shares`` between 0 and 1."""
    from scipy.special import gammaincinv

    return np.asarray(2.0 * gammaincinv(freedom / 2, shares))


@lru_cache(maxsize=64)  # each reading of the file unpacks all 21201 dimensions: some ms
def _directions(dim: int, file: str) -> _Bits | None:
    """Return the direction numbers ``(dim, BITS)``; None = scipy's file is not as it was."""
    spec = find_spec("scipy")
    folders = (spec and spec.submodule_search_locations) or []
    try:
        with np.load(Path(folders[0]) / file) as arrays:
            polynomials, first = arrays["poly"][:dim].tolist(), arrays["vinit"][:dim].tolist()
        return np.array([_numbers(*one) for one in zip(polynomials, first, strict=True)], np.uint32)
    except (IndexError, KeyError, OSError, ValueError):
        return None


def _numbers(polynomial: int, first: list[int]) -> list[int]:
    """Return the direction numbers of one dimension by its primitive polynomial."""
    degree = polynomial.bit_length() - 1
    odd = first[:degree] if degree else [1] * BITS
    for j in range(len(odd), BITS):
        new = odd[j - degree]
        for k in range(1, degree + 1):
            if polynomial >> (degree - k) & 1:
                new ^= odd[j - k] << k
        odd.append(new)
    return [number << (BITS - 1 - j) for j, number in enumerate(odd)]


def _scrambled(directions: _Bits, matrices: _Bits) -> _Bits:
    """Return directions ``(d, BITS)`` times unit lower triangular matrices over two elements."""
    places = np.arange(BITS - 1, -1, -1, dtype=np.uint32)
    lower = np.tril(matrices, -1) + np.eye(BITS, dtype=np.uint32)
    rows = (lower << places).sum(axis=2, dtype=np.uint32)
    shared = rows[:, np.newaxis, :] & directions[:, :, np.newaxis]
    for half in (16, 8, 4, 2, 1):
        shared ^= shared >> np.uint32(half)  # the last bit: whether the bits are odd in number
    return np.asarray(((shared & np.uint32(1)) << places).sum(axis=2, dtype=np.uint32))
