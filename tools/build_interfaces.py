#!/usr/bin/env python3
"""Build a ROS interface package for rclpy alone: generate, compile, lay out a prefix.

rclpy loads an extension module of a package and, through it, the C libraries for Fast DDS and for
introspection.  `colcon build` also makes the C++ ones: for `icpi_msgs` 103 objects in all.  The
code comes from ROS 2's own generators through their Python interface (`rosidl_cli`); libraries
have the names, and types the hashes, that `colcon build` gives them.

    .venv/bin/python tools/build_interfaces.py PACKAGE_FOLDER PREFIX
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from icpi_ros.core import system_packages as system

SUFFIXES = (".action", ".msg", ".srv")
ALWAYS = ("action_msgs", "builtin_interfaces", "service_msgs", "unique_identifier_msgs")
"""Packages that generated actions and services refer to."""
DISPATCH = "rosidl_typesupport_c"
"""The type support that rclpy asks for; it loads one of the others by its library's name."""
IMPLEMENTATIONS = ("rosidl_typesupport_fastrtps_c", "rosidl_typesupport_introspection_c")
"""Fast DDS reads and writes messages with the first and registers types with the second."""
TYPES, PYTHON = "rosidl_generator_c", "rosidl_generator_py"
KINDS = (TYPES, *IMPLEMENTATIONS, DISPATCH, PYTHON)
"""Libraries of a package; each may need those before it."""
RUNTIME = ("fastcdr", "rcutils", "rmw", "rosidl_runtime_c", DISPATCH, *IMPLEMENTATIONS)
OPTIMISATION = "-O1"
JOBS = len(os.sched_getaffinity(0))
USAGE = 2


class Package:
    """An interface package: where it is, its name, what it depends on, its interfaces."""

    def __init__(self, folder: Path) -> None:
        """Read ``package.xml`` and find the interface files, relative to ``folder``."""
        self.folder = folder.resolve()
        description = ET.parse(self.folder / "package.xml").getroot()
        self.name = description.findtext("name") or ""
        named = {element.text or "" for element in description.findall("depend")}
        self.dependencies = sorted({*named, *ALWAYS})
        files = (path for path in self.folder.rglob("*") if path.suffix in SUFFIXES)
        self.interfaces = sorted(path.relative_to(self.folder) for path in files)


def main(arguments: list[str]) -> int:
    """Build the package in the first folder into the prefix named second; return an exit code."""
    if len(arguments) != 2:
        print(f"usage: {Path(__file__).name} PACKAGE_FOLDER PREFIX", file=sys.stderr)
        return USAGE
    package, prefix = Package(Path(arguments[0])), Path(arguments[1]).resolve()
    venv = Path(sys.prefix)
    os.environ["AMENT_PREFIX_PATH"] = str(venv)  # the generators find themselves through it
    shutil.rmtree(prefix, ignore_errors=True)
    work, share = prefix / "work", prefix / "share" / package.name
    share.mkdir(parents=True)
    generate(package, share, work)
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    module = prefix / "lib" / python / "site-packages" / package.name
    shutil.copytree(work / PYTHON / package.name, module, ignore=shutil.ignore_patterns("*.c"))
    (module / "__init__.py").touch()
    Compilation(package, work, venv).build(prefix / "lib", module)
    describe(package, share)
    shutil.rmtree(work)
    return 0


def generate(package: Package, share: Path, work: Path) -> None:
    """Write IDL and type hashes into ``share``; C, C++ and Python into folders of ``work``.

    The generators run side by side in forks.
    """
    remember = _parse_once()  # before the generators are imported
    from ament_index_python import get_package_share_directory
    from rosidl_cli.command.hash.api import generate_type_hashes
    from rosidl_cli.command.translate.api import translate
    from rosidl_generator_c.cli import GenerateC
    from rosidl_generator_py.cli import GeneratePython
    from rosidl_typesupport_c.cli import GenerateCTypesupport
    from rosidl_typesupport_fastrtps_c.cli import GenerateFastRTPSCTypesupport
    from rosidl_typesupport_introspection_c.cli import GenerateIntrospectionCTypesupport

    include = [get_package_share_directory(name) for name in package.dependencies]
    names = {"package_name": package.name, "include_paths": include}
    files = [f"{package.folder}:{path}" for path in package.interfaces]
    idl = translate(**names, interface_files=files, output_format="idl", output_path=share)
    remember(idl)

    def run(kind: str, generator: Any, **more: Any) -> None:
        generator.generate(package.name, idl, include, work / kind / package.name, **more)

    def types() -> None:
        hashes = generate_type_hashes(
            **names, interface_files=idl, output_path=work / "hashes" / package.name
        )
        # It finds a description by the file's name alone, and a message may be called as an action.
        for folder in sorted({path.parent.name for path in package.interfaces}):
            part = [[f for f in made if _folder(f) == folder] for made in (idl, hashes)]
            target = work / TYPES / package.name
            GenerateC(TYPES).generate(
                package.name, part[0], include, target, type_description_files=part[1]
            )

    only = "typesupport_implementations"
    fast_dds, introspection = IMPLEMENTATIONS
    _side_by_side(
        lambda: run(PYTHON, GeneratePython(PYTHON, **{only: [DISPATCH]})),
        types,
        lambda: run(fast_dds, GenerateFastRTPSCTypesupport(fast_dds)),
        lambda: run(introspection, GenerateIntrospectionCTypesupport(introspection)),
        lambda: run(DISPATCH, GenerateCTypesupport(DISPATCH, **{only: list(IMPLEMENTATIONS)})),
    )
    for path in package.interfaces:
        made = work / "hashes" / package.name / path.with_suffix(".json")
        shutil.copy(made, share / path.with_suffix(".json"))


def _folder(name: str | Path) -> str:
    """Return the last folder of a file that is named alone or as ``place:file``."""
    return Path(str(name).rpartition(":")[2]).parent.name


def _parse_once() -> Callable[[list[str]], None]:
    """Let every IDL file be parsed once for all generators, which is most of their time.

    Returns:
        What parses the given ``folder:file`` names with all processors, and remembers them.
    """
    from rosidl_parser import parser
    from rosidl_parser.definition import IdlLocator

    parse, known = parser.parse_idl_file, {}

    def remember(idl: list[str]) -> None:
        locators = [IdlLocator(*name.rsplit(":", 1)) for name in idl]
        with ProcessPoolExecutor(JOBS, get_context("fork")) as pool:
            for locator, tree in zip(locators, pool.map(_parse, locators), strict=True):
                known[locator.get_absolute_path()] = tree

    def remembered(locator: Any) -> Any:
        return known.get(locator.get_absolute_path()) or parse(locator)

    parser.parse_idl_file = remembered
    return remember


def _parse(locator: Any) -> Any:
    """Parse one file in a process of a pool, which takes functions of a module only."""
    from rosidl_parser.parser import parse_idl_file

    return parse_idl_file(locator)


def _side_by_side(*tasks: Callable[[], None]) -> None:
    """Run each task in a fork of this process; end the program if one fails."""
    context = get_context("fork")
    running = [context.Process(target=task) for task in tasks]
    for process in running:
        process.start()
    for process in running:
        process.join()
    if any(process.exitcode for process in running):
        raise SystemExit("a code generator failed; its message stands above")


class Compilation:
    """The libraries and the extension module of one package.

    Nearly all of a compiler's time for these files goes into headers that they share, so the
    sources of a library are one unit.  Type descriptions define the same static names: each is
    compiled for itself.

    Args:
        package: what is compiled.
        work: where :func:`generate` has put the sources of each of :data:`KINDS`.
        venv: prefix with the headers and libraries of ROS 2.
    """

    def __init__(self, package: Package, work: Path, venv: Path) -> None:
        """Find the headers."""
        self._package, self._work, self._venv = package, work, venv
        self._compiler = system.compiler() or "c++"
        self._flags = [OPTIMISATION, "-fPIC", "-w", *self._headers()]

    def build(self, lib: Path, module: Path) -> None:
        """Compile, link libraries into ``lib`` and the extension into ``module``."""
        name = self._package.name
        entry = self._work / PYTHON / name / f"_{name}_s.ep.{DISPATCH}.c"
        units = {kind: self._units(kind) for kind in KINDS}
        with ThreadPoolExecutor(JOBS) as pool:
            list(pool.map(self._compile, [entry, *chain.from_iterable(units.values())]))
        for number, kind in enumerate(KINDS):
            needed = [f"{name}__{earlier}" for earlier in KINDS[:number]]
            self._link(lib / f"lib{name}__{kind}.so", units[kind], lib, needed)
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        target = module / f"{name}_s__{DISPATCH}{suffix}"
        self._link(target, [entry], lib, [f"{name}__{kind}" for kind in KINDS])

    def _units(self, kind: str) -> list[Path]:
        """Return what is compiled for a library: one file that includes all, and descriptions."""
        files = sorted((self._work / kind).rglob("*.c*"))
        files = [path for path in files if ".ep." not in path.name]
        single = [path for path in files if path.name.endswith("__description.c")]
        joined = [path for path in files if path not in single]
        unit = self._work / f"{kind}{joined[0].suffix}"
        unit.write_text("".join(f'#include "{path}"\n' for path in joined), encoding="utf-8")
        return [unit, *single]

    def _compile(self, path: Path) -> None:
        language = ["-x", "c"] if path.suffix == ".c" else []
        _run([self._compiler, *self._flags, *language, "-c", str(path), "-o", f"{path}.o"])

    def _link(self, target: Path, units: list[Path], lib: Path, own: list[str]) -> None:
        others = [f"{name}__{kind}" for name in self._package.dependencies for kind in KINDS]
        named = [f"-l{name}" for name in (*own, *others, *RUNTIME)]
        objects = [f"{path}.o" for path in units]
        places = [f"-L{lib}", f"-L{self._venv / 'lib'}", "-Wl,--as-needed"]
        _run([self._compiler, "-shared", *objects, "-o", str(target), *places, *named])

    def _headers(self) -> list[str]:
        """Return the options that find our headers, Python's, numpy's and ROS 2's."""
        import numpy as np

        shared = self._venv / "include"
        ros = [path for path in shared.iterdir() if path.name != self._package.name]
        foreign = [sysconfig.get_path("include"), np.get_include(), str(shared), *map(str, ros)]
        own = [f"-I{self._work / kind}" for kind in KINDS]
        return own + [option for path in foreign for option in ("-isystem", path)]


def _run(command: list[str]) -> None:
    """Run a compiler; end the program with its message if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed with exit code {done.returncode}")


def describe(package: Package, share: Path) -> None:
    """Add what `ros2 interface` and other programs read: definitions and the ament index."""
    shutil.copy(package.folder / "package.xml", share / "package.xml")
    names = []
    for path in package.interfaces:
        shutil.copy(package.folder / path, share / path)
        names += [path.as_posix(), path.with_suffix(".idl").as_posix()]
    index = share.parent / "ament_index" / "resource_index"
    contents = {
        "packages": "",
        "package_run_dependencies": ";".join(package.dependencies),
        "rosidl_interfaces": "\n".join(sorted(names)),
    }
    for kind, text in contents.items():
        (index / kind).mkdir(parents=True)
        (index / kind / package.name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
