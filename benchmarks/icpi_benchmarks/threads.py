"""Limits on the threads of numerics and OpenCV, so that times and results do not depend on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def opencv_on_one_thread() -> Iterator[None]:
    """Let OpenCV use one thread."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let numerics and OpenCV use one thread."""
    import scipy.linalg  # noqa: F401  before the limit, which acts on what is loaded
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), opencv_on_one_thread():
        yield
