"""Processes that are forked from one Python which has imported what they need.

A graph takes 1.1 s of processor time to import what its nodes share, its first proposal 0.3 s, a
command of ``icpi`` half a second, and the tests start hundreds.  :class:`Popen` is that of the
standard library for ``python -m MODULE``, ``python -c CODE`` and ``python FILE``: same arguments,
same process, a child of who asked.  Tests that are about how a process starts use the standard
library's.
"""

import contextlib
import ctypes
import importlib
import inspect
import json
import os
import pathlib
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time

NODES = ("mujoco_arm", "perception", "executor", "policy_improver", "viewer", "recorder", "replay")
SHARED = (
    *(f"icpi_ros.ros.nodes.{name}" for name in NODES),
    "icpi_ros.cli.run",
    "icpi_ros.improvers.ridge",
    "icpi_ros.ros.bringup.processes",
    "multiprocessing.queues",
    "numpy.ma",
    "numpy.random",
    "scipy.spatial",
)
"""Modules that are imported in advance: those of the package, and what they import when they get
to it.  Not pyarrow: it starts a thread, without which a fork of it crashes at its end."""
AT_START = ("PYTHON", "LD_", "OPENBLAS_", "OMP_", "NPY_")
"""Variables that a Python or its libraries read once: with others a process is started cold."""
ANY_TIME = {"PYTHONUNBUFFERED", "PYTHONPATH"}
LIBRARIES = "LD_LIBRARY_PATH"
STAND_INS = tuple(
    str(folder) for folder in pathlib.Path(__file__).resolve().parents[1].glob(".setup/*_msgs/lib")
)
"""Libraries of messages that only tests need: every warm process would find them, and those that
are told to have their modules as well."""
PATH = os.environ.get("PYTHONPATH", "")
"""Of the Python that others are forked from, also where a test has set another one by then."""
SUBREAPER = 36
STANDARD = 3
MIDDLEWARE = "dds."
"""First letters of the names of its threads."""
LONGEST = 1 << 18
"""Bytes of a request, most of them the environment."""
HANG = 120.0
"""Ends a wait for what will not come [s]."""


def prctl(*words):
    ctypes.CDLL(None).prctl(*words)


def at_start(env):
    """Return the variables of an environment that only count when a Python starts."""
    found = {k: v for k, v in env.items() if k.startswith(AT_START) and k not in ANY_TIME}
    folders = found.pop(LIBRARIES, "").split(os.pathsep)
    others = [folder for folder in folders if folder and folder not in STAND_INS]
    return found | {LIBRARIES: os.pathsep.join(others)}


def first_on_the_path(env):
    """Return the folders that an environment puts before those of PATH; None = it does not."""
    texts = (PATH, env.get("PYTHONPATH", ""))
    ours, theirs = ([part for part in text.split(os.pathsep) if part] for text in texts)
    more = len(theirs) - len(ours)
    return theirs[:more] if theirs[max(more, 0) :] == ours else None


class Parent:
    """The Python that others are forked from; it ends with this process."""

    def __init__(self):
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
        self.ours.settimeout(HANG)
        self.known, self.lock = at_start(os.environ), threading.Lock()
        libraries = os.pathsep.join([*STAND_INS, self.known[LIBRARIES]]).strip(os.pathsep)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": PATH, LIBRARIES: libraries},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def fork(self, request, files):
        """Return the id of a new process, which is a child of this one."""
        with self.lock:
            prctl(SUBREAPER, 1)  # who forked it has ended by then: it becomes ours
            try:
                socket.send_fds(self.ours, [json.dumps(request).encode()], files)
                return int(self.ours.recv(LONGEST))
            finally:
                prctl(SUBREAPER, 0)


parents = []


class Popen(subprocess.Popen):
    """A process of this Python that has everything imported."""

    def _execute_child(self, *given):
        start = super()._execute_child
        asked = inspect.signature(start).bind(*given).arguments
        env = os.environ if asked["env"] is None else asked["env"]
        words = [os.fspath(word) for word in asked["args"]]
        if not parents:
            parents.append(Parent())
        first = first_on_the_path(env)
        if words[0] != sys.executable or at_start(env) != parents[0].known or first is None:
            start(*given)
            return
        files = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        request = {
            "words": words[1:],
            "env": dict(env),
            "first": first,
            "folder": os.fspath(asked["cwd"] or os.getcwd()),
            "leads": bool(asked["start_new_session"]),
        }
        self.pid = parents[0].fork(
            request, [own if file == -1 else file for own, file in enumerate(files)]
        )
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in pipes))


def run(command, **options):
    """Do what :func:`subprocess.run` does with `capture_output` and `text`, warm."""
    timeout = options.pop("timeout", HANG)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with Popen(command, **pipes, **options) as process:
        try:
            out, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, errors)


# --- in the process that others are forked from --------------------------------------------------


def serve(asking):
    """Fork a process for each request; return its request and files in each of them."""
    while True:
        text, files, _, _ = socket.recv_fds(asking, LONGEST, STANDARD)
        if not text:
            sys.exit()
        told, telling = os.pipe()
        middle = os.fork()
        if middle == 0:
            between, child = os.getpid(), os.fork()
            if child == 0:
                while os.getppid() == between:  # until it has ended, and who asked is the parent
                    time.sleep(0.0005)
                return json.loads(text), files
            os.write(telling, str(child).encode())
            os._exit(0)
        os.waitpid(middle, 0)
        asking.send(os.read(told, LONGEST))
        for file in (*files, told, telling):
            os.close(file)


def become(request, files):
    """Take files, environment and signals of the new process."""
    if request["leads"]:
        os.setsid()
    for own, file in enumerate(files):
        os.dup2(file, own)
    os.closerange(STANDARD, os.sysconf("SC_OPEN_MAX"))
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[1:1] = request["first"]
    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (
        open(number, "w", buffering, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        for number, buffering, errors in (
            (1, 1 if at_once or os.isatty(1) else -1, "strict"),
            (2, 1, "backslashreplace"),
        )
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)


def execute(what, *words):
    """Do what Python does with its arguments."""
    if what in ("-m", "-c"):
        what, (body, *words) = {"-m": "module", "-c": "code"}[what], words
    else:
        what, body = "file", what
        sys.path[0] = os.path.dirname(os.path.abspath(body))
    sys.argv[1:] = words
    if what == "module":
        sys.modules.pop(body, None)  # as after a cold start it is run once, as __main__
        runpy.run_module(body, run_name="__main__", alter_sys=True)
    elif what == "code":
        sys.argv[0] = "-c"
        exec(compile(body, "<string>", "exec"), {"__name__": "__main__"})
    else:
        runpy.run_path(body, run_name="__main__")


def speaks():
    """Tell whether a thread of the middleware is left in this process."""
    for thread in pathlib.Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if (thread / "comm").read_text().startswith(MIDDLEWARE):
                return True
    return False


def main():
    """Import what is shared, serve, and be what was asked for.

    It ends as Python does; memory is only taken apart where that lets go of the middleware.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asking = socket.socket(fileno=int(sys.argv[1]))
    sys.path[0] = ""
    for module in SHARED:
        importlib.import_module(module)
    for registry in (sys.modules["icpi_ros.tasks"].TASKS, sys.modules["icpi_ros.robots"].ARMS):
        for name in registry.built_in:
            registry.get(name)
    sys.modules["icpi_ros.core.registry"].installed(tuple(sys.path), "")
    sys.modules["icpi_ros.ros.bringup.forked"].preload(())
    request, files = serve(asking)
    become(request, files)
    code = 0
    try:
        execute(*request["words"])
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    if not speaks():
        sys.modules["icpi_ros.ros.bringup.forked"].end(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
