"""The source distribution and the wheel that is built of it, installed where no checkout is."""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def carried_out(*words, cwd, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ICPI", "VIRTUAL"))}
    words = [str(word) for word in words]
    done = subprocess.run(
        words, cwd=cwd, env=clean | env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with the source distribution, made of what git would give, and its wheel."""
    folder = tmp_path_factory.mktemp("dist")
    tracked = carried_out("git", "ls-files", "-z", cwd=ROOT).split("\0")
    source = folder / "source"
    for name in filter(None, tracked):
        if not name.startswith(("test/", "docs/", "benchmarks/", "examples/")):
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    build = (
        "from setuptools import build_meta as b; import sys; print(getattr(b, sys.argv[1])('..'))"
    )
    name = carried_out(sys.executable, "-c", build, "build_sdist", cwd=source).split()[-1]
    with tarfile.open(folder / name) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / name.removesuffix(".tar.gz")
    wheel = carried_out(sys.executable, "-c", build, "build_wheel", cwd=unpacked).split()[-1]
    return folder / wheel


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Environment with the wheel alone; what it depends on is that of this environment."""
    env = tmp_path_factory.mktemp("env")
    uv = (sys.executable, "-m", "uv")
    carried_out(*uv, "venv", "--quiet", "--python", sys.executable, env / "v", cwd=env)
    python = env / "v" / "bin" / "python"
    carried_out(
        *(*uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, built),
        cwd=env,
    )
    site = Path(
        carried_out(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=env).strip()
    )
    (site / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return env / "v"


def test_colcon_finds_both_packages_whole_in_the_source_distribution(built):
    (source,) = [path for path in built.parent.glob("icpi_ros-*") if path.is_dir()]
    tracked = carried_out("git", "ls-files", cwd=ROOT).splitlines()
    needed = ("icpi_ros/", "icpi_msgs/", "config/", "launch/", "resource/", "sim/")
    files = {name for name in tracked if name.startswith(needed)}
    files |= {"package.xml", "setup.py", "setup.cfg", "colcon_defaults.yaml"}
    assert {name for name in files if not (source / name).is_file()} == set()


def test_a_package_index_has_the_readme_without_links_into_the_repository(built):
    with zipfile.ZipFile(built) as wheel:
        (name,) = [one for one in wheel.namelist() if one.endswith(".dist-info/METADATA")]
        found = message_from_bytes(wheel.read(name))
        assert name.replace("METADATA", "licenses/LICENSE") in wheel.namelist()
    assert found["Description-Content-Type"] == "text/markdown"
    assert found.get_payload().startswith("# icpi_ros\n")
    assert re.findall(r"\]\((?!https:)", found.get_payload()) == []
    assert found.get_all("Classifier")


def test_the_demo_runs_without_a_checkout(installed, tmp_path):
    out = carried_out(
        *(installed / "bin" / "icpi", "demo", "--in-process", "--seed", "3"),
        cwd=tmp_path,
        ICPI_STORE=str(tmp_path / "trials.sqlite"),
    )
    assert "The first attempt missed the goal by" in out
    where = "import icpi_ros, pathlib; print(pathlib.Path(icpi_ros.__file__).parents[4])"
    home = carried_out(installed / "bin" / "python", "-c", where, cwd=tmp_path).strip()
    assert home == str(installed)


def test_every_task_has_its_scene_its_arm_and_its_examples(installed, tmp_path):
    look = """
import numpy as np
from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.robots import ARMS
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS

for name in TASKS:
    task = TASKS.get(name)
    World(task, ARMS.get(task.arm), task.sample_physics(np.random.default_rng(0)))
    print(name, len(shipped(task)))
"""
    out = carried_out(installed / "bin" / "python", "-c", look, cwd=tmp_path)
    lines = out.splitlines()
    assert len(lines) >= 7
    assert {line.split()[1] for line in lines} == {"300"}


def test_weights_fits_and_factors_of_the_shipped_sets_are_there(installed, tmp_path):
    look = """
from icpi_ros.improvers.transformer.weights import network, recipe
from icpi_ros.learn.dataset.dataset import fingerprint, shipped
from icpi_ros.learn.outcome.fitting.kept_fits import SHIPPED
from icpi_ros.learn.outcome.recalibration import recalibration_of
from icpi_ros.learn.outcome.ship_fits import tasks_with_sets

assert network() and recipe()
sets = [fingerprint(shipped(task)) for task in tasks_with_sets()]
factors = sum("path" in recalibration_of(one) for one in sets)
print(len(sets), len(list(SHIPPED.glob("*.npy"))), factors)
"""
    out = carried_out(installed / "bin" / "python", "-c", look, cwd=tmp_path)
    sets, fits, factors = map(int, out.split())
    assert sets == factors >= 9
    assert fits == len(list((ROOT / "icpi_ros/learn/outcome/fitting/shipped_fits").glob("*.npy")))
