"""Why a step of the set-up failed, from what its programs printed, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from icpi_ros.core import system_packages as system


@dataclass(frozen=True)
class Failure:
    """A known kind of failure.

    Attributes:
        pattern: found in the output of programs that fail for this reason.
        reason: what is wrong, a few words.
        remedy: what to do, one line.
        remote: True if other programs would meet it as well, being about the network.
    """

    pattern: str
    reason: str
    remedy: str
    remote: bool = False


MIRROR = "behind a mirror name it with `PIP_INDEX_URL=... make setup` or in pip's configuration"
FAILURES = (
    Failure(
        r"No space left on device|\bENOSPC\b|os error 28",
        "the disk is full",
        "free 2 GB (1 GB for .venv, the rest for the installer's cache) and run it again",
    ),
    Failure(
        r"[Hh]ash mismatch|HASHES? (?:DO|DID|FROM)|DO NOT MATCH THE HASHES",
        "a package is not the one that was locked",
        "the registry or mirror serves an altered file: nothing was installed; ask who keeps it",
    ),
    Failure(
        r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer|SSLError|SSL: ",
        "the registry's certificate is not trusted",
        "name your authority's certificate: `PIP_CERT=/path/to/ca.pem make setup`",
        remote=True,
    ),
    Failure(
        r"\b40[137]\b (?:Forbidden|Unauthorized|Proxy)|status code 40[137]|[Pp]roxy ?[Aa]uth",
        "the registry or the proxy refuses access",
        "check the user name and password in the index address or in ~/.netrc",
        remote=True,
    ),
    Failure(
        r"timed? ?out|Timeout",
        "the registry did not answer in time",
        f"check network and proxy (HTTPS_PROXY); {MIRROR}",
        remote=True,
    ),
    Failure(
        r"name resolution|dns error|failed to lookup|NewConnectionError|[Cc]onnection ?[Ee]rror"
        r"|[Cc]onnection refused|[Nn]etwork is unreachable|tcp connect error|[Nn]o route to host"
        r"|Failed to fetch|error sending request|Could not resolve",
        "the registry cannot be reached",
        f"check network and proxy (HTTPS_PROXY); {MIRROR}",
        remote=True,
    ),
    Failure(
        r"No matching distribution|has no usable wheels|no wheels with a matching"
        r"|was not found in the (?:package registry|provided)|there (?:is|are) no versions? of"
        r"|because there was no version|HTTP error 404",
        "the registry lacks a package, or has no file of it for this machine",
        f"Python 3.11 to 3.13 on x86-64 Linux is served, a mirror must be complete; {MIRROR}",
    ),
    Failure(
        r"Python\.h: No such file",
        "the headers of Python are missing",
        f"run `{system.apt_command(system.HEADERS.packages)}`",
    ),
    Failure(
        r"cc1plus|(?:c\+\+|g\+\+|clang\+\+|gcc): (?:not found|No such)|CMAKE_CXX_COMPILER",
        "the C++ compiler does not work",
        f"run `{system.apt_command(system.COMPILER.packages)}`",
    ),
    Failure(
        r"cmake: (?:command )?not found|'cmake'",
        "cmake is missing",
        "run `apt-get install cmake`",
    ),
    Failure(
        r"Killed signal|[Cc]annot allocate memory|MemoryError|std::bad_alloc",
        "memory ran out",
        "close other programs (1 GB is enough) and run it again",
    ),
    Failure(
        r"[Pp]ermission denied|Operation not permitted|Read-only file system",
        "a folder cannot be written",
        "run it as the owner of this folder, in a folder that can be written",
    ),
)


def failure_of(output: str) -> Failure | None:
    """Return the first known kind of failure that ``output`` shows."""
    return next((kind for kind in FAILURES if re.search(kind.pattern, output)), None)
