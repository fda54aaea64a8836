"""Programs of the benchmarks that are no command of `icpi bench`: one runner, rows as JSON."""

import ast
import json
from pathlib import Path

import icpi_benchmarks
import pytest
from icpi_benchmarks.program import run_program
from icpi_benchmarks.speed import retrieval

ROOT = Path(icpi_benchmarks.__file__).parent
NODE = "graph/bare_cancel.py"
"""A node, which a program starts."""
PROGRAMS = {
    name: text
    for path in ROOT.rglob("*.py")
    if (name := str(path.relative_to(ROOT))) != NODE
    and 'if __name__ == "__main__":' in (text := path.read_text(encoding="utf-8"))
}
SMALL = ["--examples", "50", "--queries", "3", "--k", "2"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_is_run_by_the_one_runner(program):
    tree = ast.parse(PROGRAMS[program])
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {"add_arguments", "run"} <= functions
    assert ast.unparse(tree.body[-1].body[0]) == "sys.exit(run_program(sys.modules[__name__]))"
    module = program.removesuffix(".py").replace("/", ".")
    assert f"python -m icpi_benchmarks.{module}" in ast.get_docstring(tree)


def test_rows_go_to_standard_output_or_to_a_file(tmp_path, capsys):
    file = tmp_path / "rows.json"
    assert run_program(retrieval, [*SMALL, "--json", str(file)]) == 0
    assert "50 examples" in capsys.readouterr().out
    assert run_program(retrieval, [*SMALL, "--json"]) == 0
    out, err = capsys.readouterr()
    assert "50 examples" in err
    for rows in (json.loads(file.read_text()), json.loads(out)):
        assert [(row["theta"], row["error"]) for row in rows] == [(2, 2), (3, 2), (3, 7)]
        assert all(row["query"]["median"] > 0.0 for row in rows)


def test_a_file_that_is_no_json_is_not_overwritten(tmp_path, capsys):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    assert run_program(retrieval, [*SMALL, "--json", str(file)]) == 2
    assert capsys.readouterr().err.startswith("error: --json ")
    assert file.read_text() == "mine"
