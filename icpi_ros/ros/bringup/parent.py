"""End with the process that started this one, even when that one was killed."""

from __future__ import annotations

import os
import select

from icpi_ros.core.errors import UsageError

VARIABLE = "ICPI_PARENT_PID"
"""Environment variable: process whose end ends a node or a graph."""


class Parent:
    """The process that the environment variable names, if it names one."""

    def __init__(self) -> None:
        """Open it.

        Raises:
            UsageError: it has ended already.
        """
        self._fd: int | None = None
        text = os.environ.get(VARIABLE, "")
        if not text.isdigit():
            return
        try:
            self._fd = os.pidfd_open(int(text))
        except ProcessLookupError:
            raise UsageError(f"process {text} named by {VARIABLE} has ended") from None
        except OSError:  # a kernel without pidfd: run without the watch
            return

    @property
    def ended(self) -> bool:
        """True if there was one and it has ended."""
        return self._fd is not None and bool(select.select([self._fd], [], [], 0)[0])

    def wait(self) -> bool:
        """Wait for its end; False at once if there is none to wait for."""
        if self._fd is None:
            return False
        select.select([self._fd], [], [])
        return True
