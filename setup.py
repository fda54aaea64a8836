"""ament_python package: Python code, nodes, and the files that go to share/icpi_ros."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent  # colcon --symlink-install runs a link to this file
NAME = "icpi_ros"
SHARE = f"share/{NAME}"
NODES = (
    *("checklist", "executor", "mujoco_arm", "perception", "policy_improver"),
    *("recorder", "replay", "viewer"),
)


def files(folder: str, *patterns: str) -> tuple[str, list[str]]:
    """Return the data_files entry of one shared folder; paths relative to this file."""
    found = (path for pattern in patterns for path in (HERE / folder).glob(pattern))
    return f"{SHARE}/{folder}", sorted(str(path.relative_to(HERE)) for path in found)


def requirements(group: str) -> list[str]:
    """Return what a group of requirements names: "runtime" is what the core needs."""
    lines = (HERE / "requirements" / f"{group}.in").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def description() -> str:
    """Return the README; a package index shows neither pictures nor files of the repository."""
    text, _, _links = (HERE / "README.md").read_text(encoding="utf-8").rpartition("\n\n")
    without = re.sub(r"!\[[^\]]*\]\([^)]*\)\n*", "", text)
    return re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", without)


setup(
    name=NAME,
    version="0.2.0",
    description="In-Context Policy Improvement (ICPI, arXiv 2508.15021) for ROS 2",
    long_description=description(),
    long_description_content_type="text/markdown",
    project_urls={"Paper of the method": "https://arxiv.org/abs/2508.15021"},
    keywords=["robotics", "ROS 2", "in-context learning", "dynamic manipulation"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering",
        "Typing :: Typed",
    ],
    maintainer="icpi_ros maintainers",
    maintainer_email="maintainers@icpi-ros.invalid",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        NAME: [
            "py.typed",
            "improvers/transformer/*.json",
            "improvers/transformer/*.npz",
            "learn/dataset/shipped/*",
            "learn/outcome/*.json",
            "learn/outcome/fitting/shipped_fits/*",
            "templates/*.*",
            "templates/stored/*",
        ],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (SHARE, ["package.xml"]),
        files("launch", "*.py"),
        files("config", "*.xml", "*.yaml", "*.rviz", "*.json"),
        files("config/arms", "*.yaml", "*.urdf"),
        files("sim", "*.xml"),
        files("icpi_msgs/msg", "*.msg"),
    ],
    zip_safe=False,
    install_requires=requirements("runtime"),
    extras_require={
        "bench": requirements("bench"),
        "dask": ["dask[distributed]"],
        "local-llm": requirements("local-llm"),
        "notebook": ["jupyterlab", "pandas"],
        "pandas": ["pandas"],
        "view": requirements("view"),
    },
    entry_points={
        "console_scripts": [
            f"icpi = {NAME}.cli.main:main",
            *(f"{node} = {NAME}.ros.nodes.{node}:main" for node in NODES),
        ],
    },
)
