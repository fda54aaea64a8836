"""Recordings of language models: a folder with one cassette per model, replayed or added to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.llm.cassettes.cassette import AUTO, REPLAY
from icpi_ros.llm.cassettes.file import cassette_file
from icpi_ros.llm.cassettes.packed import SUFFIX, write_packed
from icpi_ros.llm.connect import ModelChoice, require_reachable

SHIPPED = Path(__file__).resolve().parent
PLAIN = ".jsonl"
"""Suffix of a cassette that is recorded; packed ones have ``.xz`` behind it."""
CATALOGUE = "models.yaml"
"""File of the models of a folder; the shipped one where it has none."""
RECORDING_DEADLINE = 600.0
"""Of one proposal while answers are recorded, on a machine that others use, too [s]."""


@dataclass(frozen=True)
class Recordings:
    """A folder of cassettes ``MODEL.jsonl`` or ``MODEL.jsonl.xz``, and their models.yaml.

    Attributes:
        folder: of the cassettes.
        records: whether models are asked for what is missing; else none is ever asked.
    """

    folder: Path = field(default_factory=lambda: SHIPPED)
    records: bool = False

    @property
    def catalogue(self) -> Path:
        """File of the models."""
        own = self.folder / CATALOGUE
        return own if own.exists() else SHIPPED / CATALOGUE

    @property
    def arguments(self) -> list[str]:
        """Options of `icpi bench` that choose it; none for the shipped ones."""
        if self.records:
            return ["--record", str(self.folder)]
        return [] if self.folder == SHIPPED else ["--cassettes", str(self.folder)]

    def options(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options by which an improver finds its model and its cassette here.

        Args:
            own: options that it has; they win.

        Raises:
            UsageError: there is no recording of its model.
        """
        found: dict[str, Any] = {"models": str(self.catalogue)}
        if "cassette" not in own:
            found |= self._cassette(str(own.get("model", "")))
        return found | dict(own)

    def _cassette(self, model: str) -> dict[str, Any]:
        if not self.records:
            return {"cassette": str(self._recorded(model)), "cassette_mode": REPLAY}
        path = str(self.folder / (_checked(model) + PLAIN))
        return {"cassette": path, "cassette_mode": AUTO, "deadline": RECORDING_DEADLINE}

    def _recorded(self, model: str) -> Path:
        """Return the path of a model's cassette.

        Raises:
            UsageError: there is none.
        """
        for suffix in (PLAIN, PLAIN + SUFFIX):
            path = self.folder / (_checked(model) + suffix)
            if path.exists():
                return path
        found = sorted({path.name.partition(PLAIN)[0] for path in cassettes(self.folder)})
        there = f"there are {', '.join(found)}" if found else "there are none"
        raise UsageError(
            f"no answers of model {model} are recorded in {self.folder} ({there}): choose with "
            "--improvers who takes part, or ask its server with --record FOLDER"
        )

    def make_folder(self) -> None:
        """Make the folder to record into.

        Raises:
            UsageError: it cannot be made.
        """
        if self.records:
            _make(self.folder)

    def require_servers(self, choices: Iterable[ModelChoice]) -> None:
        """Check that the servers of this machine that will be asked listen.

        Raises:
            UsageError: one does not.
        """
        if self.records:
            for choice in dict.fromkeys(replace(c, cassette="", wire=AUTO) for c in choices):
                require_reachable(choice)


def cassettes(folder: Path) -> list[Path]:
    """Return the cassettes in a folder, in the order of their names."""
    return sorted(path for kind in (PLAIN, PLAIN + SUFFIX) for path in folder.glob(f"*{kind}"))


def pack(folder: Path, into: Path) -> dict[str, tuple[int, int]]:
    """Pack every cassette of a folder into another one; return by name answers and size [bytes].

    The text of the requests and what was answered anew later are left out.

    Raises:
        UsageError: there is none, one is no cassette, or a packed one cannot be written.
    """
    found = [path for path in cassettes(folder) if path.suffix == PLAIN]
    if not found:
        raise UsageError(f"{folder} holds no cassette *{PLAIN}: record some with --record first")
    _make(into)
    sizes = {}
    for path in found:
        file = cassette_file(path.resolve())
        file.refresh()
        entries = file.entries()
        packed = into / (path.name + SUFFIX)
        sizes[packed.name] = (len(entries), write_packed(packed, entries))
    return sizes


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UsageError(f"cannot make the folder {folder}: {exc.strerror or exc}") from None


def _checked(model: str) -> str:
    """Return the name of a model that a file can be named after."""
    if not model or "/" in model or model.startswith("."):
        text = f"model {model!r} names no recording: give the entry of models.yaml as model=NAME"
        raise InvalidValue(text)
    return model
