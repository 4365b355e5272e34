"""The reference of the client, as Markdown made from its docstrings and signatures.

`python -m faultstream.config.client_reference docs/reference` writes it; a test keeps it current.
"""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MODULES: Final = (
    "reporter", "delivery", "contexts", "capture", "recovery", "about", "fault", "hooks", "handler",
    "executor", "progress", "steering", "fleet", "inforce", "metrics", "states", "breaker",
    "bulkhead", "retry", "backoff", "timeout", "throttle", "fallback", "pool", "rollback",
    "degradation", "compose", "configfile", "injection", "tasks", "web.page",
    "web.asgi", "web.wsgi", "web.django",
)  # fmt: skip
"""In the order of the page. Of each module what is public."""
_PLACES: Final = {
    "capture": ("Capture",), "about": ("describe",), "hooks": ("Hooks",), "fleet": (),
    "steering": ("steer",), "web.page": ("StatePage",), "contexts": ("context",),
    "metrics": ("text", "Collector"), "handler": ("Outcome",),
    "reporter": ("Reporter",), "delivery": ("Stats",), "tasks": ("Tasks", "CeleryTasks", "celery"),
    "injection": ("Injector", "Injection"), "web.asgi": ("AsgiMiddleware",),
    "web.wsgi": ("WsgiMiddleware",), "web.django": ("DjangoMiddleware", "use"),
    "executor": ("Executor", "ExecutorStats"),
}  # fmt: skip
"""Where not everything without an underscore is public."""
_MADE: Final = "<!-- Made by `python -m faultstream.config.client_reference docs/reference`. -->"
_INTRODUCTION: Final = (
    "Everyday names are imported from `faultstream.client`, the rest from the module named. How to "
    "use it is in [report errors](../how-to/report-errors.md), "
    "[frameworks](../how-to/frameworks.md), [executors](../how-to/executors.md) "
    "and [inject faults](../how-to/inject-faults.md)."
)
_ASIDE: Final = "More than 300 lines"
"""Begins a paragraph for those who read the code."""
_HOOKS: Final = frozenset({"after_fork", "at_exit"})
"""Called by the interpreter, not by applications."""
Method = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def page() -> str:
    """The whole page."""
    parts = [
        "# The client",
        _MADE,
        _INTRODUCTION,
    ]
    for name in MODULES:
        parts += _module(name)
    return "\n\n".join(parts) + "\n"


def main(folder: Path) -> None:
    """Write the page into `folder`."""
    (folder / "client.md").write_text(page(), "utf-8")


def _module(name: str) -> Iterator[str]:
    tree = _tree(name)
    yield f"## faultstream.client.{name}"
    yield _text(ast.get_docstring(tree) or "")
    wanted = _PLACES.get(name)
    for node in tree.body:
        if not isinstance(node, Documented) or node.name.startswith("_"):
            continue
        if wanted is None or node.name in wanted:
            yield from _documented(node, [*_inherited(tree, node)])


def _tree(name: str) -> ast.Module:
    full = f"faultstream.client.{name}"
    spec = importlib.util.find_spec(full)
    if spec is None or spec.origin is None:
        raise LookupError(full)
    return ast.parse(Path(spec.origin).read_text("utf-8"))


def _inherited(tree: ast.Module, node: Documented) -> Iterator[Method]:
    """The methods of its bases in other modules of the client, nearest first."""
    bases = {base.id for base in getattr(node, "bases", ()) if isinstance(base, ast.Name)}
    for one in tree.body:
        package, _, module = (getattr(one, "module", None) or "").rpartition(".")
        if not isinstance(one, ast.ImportFrom) or package != "faultstream.client":
            continue
        for name in bases & {alias.name for alias in one.names}:
            above = _tree(module)
            for base in above.body:
                if isinstance(base, ast.ClassDef) and base.name == name:
                    yield from (part for part in base.body if isinstance(part, Method))
                    yield from _inherited(above, base)


def _documented(node: Documented, inherited: list[Method]) -> Iterator[str]:
    if not isinstance(node, ast.ClassDef):
        yield f"### {node.name}"
        yield _code(node, node.name)
        yield _text(ast.get_docstring(node) or "")
        return
    yield f"### class {node.name}"
    methods = [one for one in node.body if isinstance(one, Method)]
    for one in methods:
        if one.name == "__init__":
            yield _code(one, node.name)
            yield _text(ast.get_docstring(node) or "")
            yield _text(ast.get_docstring(one) or "")
            break
    else:
        yield _fields(node)
        yield _text(ast.get_docstring(node) or "")
    for one in (*methods, *inherited):
        text = ast.get_docstring(one)
        if not one.name.startswith("_") and one.name not in _HOOKS and text:
            yield f"#### {node.name}.{one.name}"
            yield _code(one, one.name)
            yield _text(text)


def _fields(node: ast.ClassDef) -> str:
    """The fields of a struct or named tuple, with their defaults."""
    fields = [
        ast.unparse(one)
        for one in node.body
        if isinstance(one, ast.AnnAssign) and not ast.unparse(one.target).startswith("_")
    ]
    return "\n".join(["```text", node.name, *(f"    {one}" for one in fields), "```"])


def _code(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> str:
    given = node.args
    if given.args and given.args[0].arg == "self":
        given = ast.arguments(
            posonlyargs=given.posonlyargs, args=given.args[1:], vararg=given.vararg,
            kwonlyargs=given.kwonlyargs, kw_defaults=given.kw_defaults, kwarg=given.kwarg,
            defaults=given.defaults,
        )  # fmt: skip
    if any(ast.unparse(one) == "property" for one in node.decorator_list):
        returned = ast.unparse(node.returns) if node.returns is not None else "Any"
        return f"```text\n{name}: {returned}\n```"
    arguments = ast.unparse(given)
    returns = "" if node.name == "__init__" or node.returns is None else ast.unparse(node.returns)
    before = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    text = f"{before}{name}({arguments})" + (f" -> {returns}" if returns else "")
    if len(text) > 90:
        inner = ",\n    ".join(_split(arguments))
        text = f"{before}{name}(\n    {inner},\n)" + (f" -> {returns}" if returns else "")
    return f"```text\n{text}\n```"


def _split(arguments: str) -> list[str]:
    """Arguments one by one: commas outside of brackets."""
    found, depth, start = [], 0, 0
    for at, char in enumerate(arguments):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            found.append(arguments[start:at].strip())
            start = at + 1
    return [*found, arguments[start:].strip()]


def _text(docstring: str) -> str:
    """A docstring as Markdown; the errors as a list."""
    parts = docstring.split("\n\n")
    docstring = "\n\n".join(part for part in parts if not part.startswith(_ASIDE))
    before, raises, errors = docstring.partition("Raises:\n")
    if not raises:
        return docstring
    listed = "\n".join(f"- {line.strip()}" for line in errors.splitlines() if line.strip())
    return f"{before}Raises:\n\n{listed}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
