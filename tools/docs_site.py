"""MkDocs hooks of `make docs`: pages that are made of the code, and the texts of links.

`commands.md` is what `icpi COMMAND --help` prints, `api.md` the public names of `import icpi_ros`
for mkdocstrings.  Both are made anew at every build, so they cannot be out of date.  A link from a
page to a file of the repository that is no page becomes the name of that file, and a link that
shows the file name of a page shows the page's name in the menu.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import icpi_ros
from icpi_ros.cli.commands import COMMANDS, GROUPS, Command
from icpi_ros.cli.parser import Parser

REPO = Path(__file__).resolve().parents[1]
OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)#]+)(?:#[^)]*)?\)")
"""Link to a file above docs/."""
PAGE = re.compile(r"\[([\w./-]+\.md)\]\(([\w./-]+\.md)(#[\w-]*)?\)")
"""Link to a page that shows the name of its file, as it is right where the files are read."""
HELP_COLUMNS = "86"
"""Width of a page's text, in letters of its code."""
ROLE = re.compile(r":(?:meth|class|func|attr|mod|data|exc):\s?(?=<code>)")
"""What stands before a name in docstrings, as it is left in HTML."""


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that are made of the code."""
    for name, text in (("commands.md", commands_page()), ("api.md", api_page())):
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Return the text of a page with links that a reader of the site understands."""
    titles = dict(_titles(config["nav"]))
    here = Path(page.file.src_uri).parent

    def named(link: re.Match[str]) -> str:
        path = os.path.normpath(here / link[2])
        return f"[{titles.get(path, link[1])}]({link[2]}{link[3] or ''})"

    return PAGE.sub(named, OUTSIDE.sub(_file_name, markdown))


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Return the content of a page; names in docstrings without their roles."""
    return ROLE.sub("", html) if page.file.src_uri == "api.md" else html


def on_post_build(*, config: Any) -> None:
    """Write the index of the search as a script, which a page from a folder can load."""
    folder = Path(config.site_dir) / "search"
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {index}", encoding="utf-8")


def commands_page() -> str:
    """Return a page with the help of every command, by group."""
    os.environ["COLUMNS"] = HELP_COLUMNS
    parts = [
        "# The command line",
        "Every command prints this with `--help`. Exit codes: 0 the job was done, 1 it was not, "
        "2 wrong usage, 3 a run whose every proposal fell back on another improver, 130 Ctrl-C.",
    ]
    for group in GROUPS:
        parts.append(f"## {group[0].upper()}{group[1:]}")
        parts += [_help(command) for command in COMMANDS.values() if command.group == group]
    return "\n\n".join(parts) + "\n"


def api_page() -> str:
    """Return a page with a directive of mkdocstrings for each public name."""
    parts = ["# The Python API", "What `import icpi_ros as icpi` offers."]
    for name in icpi_ros.__all__:
        if not name.startswith("_"):
            found = getattr(icpi_ros, name)
            parts.append(f"::: {found.__module__}.{found.__qualname__}")
    return "\n\n".join(parts) + "\n"


def _help(command: Command) -> str:
    parser = Parser(prog=f"icpi {command.name}", description=command.summary)
    command.add_options(parser)
    verbs = [
        verb
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for verb in action.choices.values()
    ]
    texts = [f"```text\n{one.format_help().rstrip()}\n```" for one in (parser, *verbs)]
    return "\n\n".join([f"### icpi {command.name}", *texts])


def _titles(menu: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Yield file and title of every page of a menu; measurements are named as such."""
    for entry in menu:
        for title, inside in entry.items():
            if isinstance(inside, str):
                yield inside, f"Measurements: {title}" if "/" in inside else title
            else:
                yield from _titles(inside)


def _file_name(link: re.Match[str]) -> str:
    text, path = link.groups()
    if not (REPO / path).exists():
        return link.group(0)  # a broken link: the strict build names it
    return f"`{path}`" if text.strip("`") in (path, Path(path).name) else f"{text} (`{path}`)"
