"""The package descriptions agree with each other."""

import ast
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

import icpi_ros
from icpi_ros.core.resources import FOLDERS

REPO = Path(__file__).resolve().parents[2]


def manifest(path: str) -> ElementTree.Element:
    return ElementTree.parse(REPO / path).getroot()


def setup_arguments() -> dict[str, ast.expr]:
    tree = ast.parse((REPO / "setup.py").read_text())
    call = next(
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setup"
    )
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def test_versions_are_equal_everywhere():
    benchmarks = tomllib.loads((REPO / "benchmarks/pyproject.toml").read_text())["project"]
    assert benchmarks["dependencies"] == [f"icpi_ros[bench]=={icpi_ros.__version__}"]
    versions = {
        "icpi_ros": icpi_ros.__version__,
        "setup.py": ast.literal_eval(setup_arguments()["version"]),
        "package.xml": manifest("package.xml").findtext("version"),
        "icpi_msgs": manifest("icpi_msgs/package.xml").findtext("version"),
        "icpi_benchmarks": benchmarks["version"],
        "CITATION.cff": yaml.safe_load((REPO / "CITATION.cff").read_text())["version"],
    }
    assert len(set(versions.values())) == 1, versions
    assert re.fullmatch(r"\d+\.\d+\.\d+", icpi_ros.__version__)


def test_the_newest_version_of_the_changelog_is_this_one_with_its_date():
    heads = re.findall(r"^## (.*)", (REPO / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = yaml.safe_load((REPO / "CITATION.cff").read_text())["date-released"]
    assert heads[:2] == ["[Unreleased]", f"[{icpi_ros.__version__}] - {released}"]
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", one) for one in heads[1:])


@pytest.mark.parametrize(
    ("path", "name", "build_type"),
    [
        ("package.xml", "icpi_ros", "ament_python"),
        ("icpi_msgs/package.xml", "icpi_msgs", "ament_cmake"),
    ],
)
def test_manifests(path, name, build_type):
    root = manifest(path)
    assert root.get("format") == "3"
    assert root.findtext("name") == name
    assert root.findtext("license") == "Apache-2.0"
    assert root.findtext("export/build_type") == build_type


def test_every_interface_file_is_built():
    built = set(
        re.findall(
            r'"((?:msg|srv|action)/\w+\.\w+)"', (REPO / "icpi_msgs/CMakeLists.txt").read_text()
        )
    )
    found = {
        f"{path.parent.name}/{path.name}"
        for kind in ("msg", "srv", "action")
        for path in (REPO / "icpi_msgs" / kind).iterdir()
    }
    assert built == found


def test_every_field_of_every_interface_says_what_it_is():
    for path in (REPO / "icpi_msgs").rglob("*"):
        if path.suffix not in {".msg", ".srv", ".action"}:
            continue
        for line in path.read_text().splitlines():
            field = line.strip()
            if not field or field.startswith("#") or field == "---" or "=" in field.split("#")[0]:
                continue
            assert "#" in field, f"{path.name}: {field}"


PIN = re.compile(r"[A-Za-z0-9._\[\],-]+==[\w.+!]+( ;.*)?( --hash=sha256:[0-9a-f]{64})+")
BASE = ("runtime", "ros")
TOOLS = {"pytest", "ruff", "mypy", "hypothesis", "coverage", "notebook", "scikit-learn", "dask"}


def pins(group):
    """Return the entries of a lock file, each on one line."""
    text = (REPO / "requirements" / f"{group}.txt").read_text().replace(" \\\n   ", "")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("group", [*BASE, "bench", "local-llm", "weights", "docs", "dev", "uv"])
def test_the_lock_has_hashes_and_names_no_host_and_no_folder_of_a_machine(group):
    assert pins(group)
    assert [pin for pin in pins(group) if not PIN.fullmatch(pin)] == []


@pytest.mark.parametrize("group", BASE)
def test_what_the_demo_needs_has_no_tool_for_tests_or_benchmarks(group):
    assert not {re.split(r"[\[=]", pin)[0].lower() for pin in pins(group)} & TOOLS


def test_the_lock_covers_what_is_asked_for():
    for source in (REPO / "requirements").glob("*.in"):
        lock = source.with_suffix(".txt").read_text().lower()
        for line in source.read_text().splitlines():
            if line and not line.startswith("#"):
                name = re.split(r"[\[<>=]", line)[0].lower()
                assert re.search(rf"^{re.escape(name)}==", lock, re.MULTILINE), (
                    f"run make lock: {name}"
                )


def test_message_dependencies_of_the_nodes_are_declared():
    declared = {element.text for element in manifest("package.xml").findall("exec_depend")}
    used = set()
    for path in (REPO / "icpi_ros").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            used |= {module.split(".")[0] for module in modules}
    interfaces = {name for name in used if re.fullmatch(r"\w+_(msgs|srvs|interfaces)", name)}
    assert interfaces <= declared


ROSDEP_KEYS = {
    *("python3-jinja2", "python3-joblib", "python3-matplotlib", "python3-mujoco-pip"),
    *("python3-numpy", "python3-openai-pip", "python3-scipy", "python3-tqdm", "python3-yaml"),
    *("python3-hypothesis", "python3-pytest"),
}
"""Keys of the manifest that rosdep/python.yaml of ros/rosdistro has (its state of 2026-08-22)."""


def test_the_manifest_names_only_keys_that_rosdep_knows():
    """`rosdep install` gives up at the first key that it does not know."""
    root = manifest("package.xml")
    named = {one.text for kind in ("exec_depend", "test_depend") for one in root.findall(kind)}
    assert {key for key in named if key.startswith("python3-")} == ROSDEP_KEYS


def test_every_shared_file_is_installed():
    """setup.py names shared files by pattern: a new kind of file must not be forgotten."""
    text = (REPO / "setup.py").read_text()
    patterns = dict(re.findall(r'files\("([\w/]+)", ([^)]*)\)', text))
    for folder in FOLDERS:
        wanted = re.findall(r'"([^"]+)"', patterns[folder])
        for path in (REPO / folder).iterdir():
            if path.is_file():
                assert any(path.match(pattern) for pattern in wanted), path
    assert 'files("config/arms", "*.yaml", "*.urdf")' in text
    assert {path.suffix for path in (REPO / "config" / "arms").iterdir()} <= {".yaml", ".urdf"}


def test_every_file_of_the_package_that_is_not_python_is_installed():
    patterns = ast.literal_eval(setup_arguments()["package_data"].values[0])
    package = REPO / "icpi_ros"
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    found = {path for path in package.rglob("*") if path.is_file()}
    assert {path for path in found if path.suffix not in {".py", ".pyc"}} == installed
