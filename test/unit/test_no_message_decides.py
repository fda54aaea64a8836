"""No code decides by the words of a message: it has errors.Refusal, enums and codes."""

import ast
from pathlib import Path

import pytest

import icpi_ros

PACKAGE = Path(icpi_ros.__file__).resolve().parent
ALLOWED = {
    "ros/bringup/checklist.py:text": "no decision: the sign between what was found and its remedy",
    "llm/client/responses.py:_classify_connection": "name of another library's exception",
    "ros/arm_ports/action_port.py:_end": "result of another program's controller",
    "ros/clients/stop_client.py:_trigger": "reply of std_srvs/Trigger, which has a text alone",
    "ros/base/operator_port.py:is_change_refused": "remark of another process's question",
    "ros/base/operator_port.py:is_decided": "remark of another process's question",
}
"""File and function of texts that come from outside this program and say nothing otherwise."""
NAMES = {
    *("message", "msg", "reason", "remark", "note", "remedy", "detail", "error_msg"),
    *("error_string", "failure", "fallback_reason", "refusal", "trouble", "doubt"),
    *("why", "why_not", "cause", "error", "exc", "refused", "advice", "brief"),
}
"""What messages are called, as variables and as attributes; attributes are called text, too."""
SEARCHES = {
    *("startswith", "endswith", "partition", "rpartition", "removeprefix", "removesuffix"),
    *("find", "rfind", "index", "count", "split", "rsplit"),
}
PATTERNS = {"match", "search", "fullmatch", "findall", "finditer", "sub", "split"}


class Finder(ast.NodeVisitor):
    """Collects ``function:line`` of everything that looks for words in a message."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int]] = []
        self._function, self._messages = "", set[str]()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        before = self._function, self._messages
        self._function, self._messages = node.name, set(self._messages)
        for inner in ast.walk(node):
            if isinstance(inner, ast.ExceptHandler) and inner.name:
                self._messages.add(inner.name)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Assign) and self._is_text_of(inner.value):
                self._messages |= {t.id for t in inner.targets if isinstance(t, ast.Name)}
        self.generic_visit(node)
        self._function, self._messages = before

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for i, operator in enumerate(node.ops):
            left, right = sides[i], sides[i + 1]
            searched = isinstance(operator, ast.In | ast.NotIn) and self._is_message(right)
            # A comparison with "" asks whether there is a message at all.
            pairs = ((left, right), (right, left))
            same = isinstance(operator, ast.Eq | ast.NotEq) and any(
                self._is_message(one) and _is_words(other) for one, other in pairs
            )
            if searched or same:
                self.found.append((self._function, node.lineno))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Attribute):
            # A split without an argument makes one line of several.
            by_words = called.attr in SEARCHES and node.args and self._is_message(called.value)
            by_pattern = called.attr in PATTERNS and any(map(self._is_message, node.args))
            if by_words or by_pattern:
                self.found.append((self._function, node.lineno))
        self.generic_visit(node)

    def _is_message(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return node.id in NAMES | self._messages
        if isinstance(node, ast.Attribute):
            return node.attr in NAMES | {"text"}
        return self._is_text_of(node)

    def _is_text_of(self, node: ast.expr) -> bool:
        """Tell whether an expression is ``str(exc)``, ``exc.args[0]``, or a part of such a text."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            return node.func.id in ("str", "repr") and self._is_message(node.args[0])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return node.func.attr in ("lower", "strip") and self._is_message(node.func.value)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
            return node.value.attr == "args" and self._is_message(node.value.value)
        return False


def _is_words(node: ast.expr) -> bool:
    """Tell whether an expression is a text that is not empty, or a constant."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(node.value)
    return isinstance(node, ast.Name) and node.id.isupper()


def decisions(source: str) -> list[tuple[str, int]]:
    """Return function and line of every decision by a message."""
    finder = Finder()
    finder.visit(ast.parse(source))
    return finder.found


def test_no_code_decides_by_a_message():
    offenders, used = [], set()
    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE).as_posix()
        if file.startswith("testing/"):  # checks what messages say
            continue
        for function, line in decisions(path.read_text(encoding="utf-8")):
            used.add(f"{file}:{function}")
            if f"{file}:{function}" not in ALLOWED:
                offenders.append(f"{file}:{line} {function}")
    assert not offenders, "decide by fields (errors.Refusal, an enum, a code), not by words"
    assert used == set(ALLOWED), "what decides by words no longer leaves the list"


@pytest.mark.parametrize(
    "source",
    [
        'if str(exc).startswith("budget"): pass',
        'if "from the goal" in event.reason: pass',
        'if "leaves the reach" in refusal: pass',
        "if reason != UNEXPLAINED: pass",
        'head = refusal.partition(" reaches ")[0]',
        'short = finding.text.split(": ", 1)[0]',
        'kind = re.sub(r"[0-9]+", "", reason)',
        'if exc.args[0] == "full": pass',
        'try: pass\n    except ValueError as problem:\n        if "nan" in str(problem): pass',
        'try: pass\n    except OSError as e:\n        t = str(e).lower()\n        "disk" in t',
    ],
)
def test_a_decision_by_a_message_is_found(source):
    ((function, _),) = decisions(f"def decide():\n    {source}")
    assert function == "decide"


@pytest.mark.parametrize(
    "source",
    [
        'if reason == "": pass',
        "if not reason: pass",
        'line = " ".join(str(exc).split())',
        "if refusal.kind is Kind.START and refusal.field in NUMBERS: pass",
        "if message in seen: pass",
        'print(f"{exc}: {reason}")',
    ],
)
def test_what_only_shows_or_keeps_a_message_is_none(source):
    assert decisions(f"def show():\n    {source}") == []
