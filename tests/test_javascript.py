"""The page's modules import in one direction, and no directory holds too many of them."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "static" / "js"
BROWSER_TESTS = ROOT / "tests" / "browser"
MOST_IN_A_DIRECTORY = 14
MOST_COLUMNS = 100

# A module imports from its own directory and from directories in a lower layer.
LAYERS = {
    "lib": 1,
    "net": 2,
    "ui": 2,
    "gradients": 2,
    "corpora": 3,
    "course": 3,
    "curve": 3,
    "run-lists": 3,
    "standalone": 3,
    "spec": 3,
    "state": 4,
    "reading": 4,
    "lesson": 4,
    "groups": 4,
    "guide": 4,
    "machines": 4,
    "report": 4,
    "runs": 4,
    "transfer": 4,
    "chart": 5,
    "metrics": 4,
    "notifications": 4,
    "writing": 5,
    "compare": 5,
    "sweeps": 5,
    "wall": 5,
    "lecture": 5,
    "guess": 5,
    "passage": 6,
    # What the views of the Inside page share, the views, and the page around them.
    "inside/state": 5,
    "inside/strip": 5,
    "inside/text": 6,
    "inside/units": 6,
    "inside/update": 6,
    "inside/memory": 6,
    "inside/health": 6,
    "inside": 7,
    "": 8,
}

# Only these open a WebSocket; views get what it brings from the store.
MAY_OPEN_SOCKETS = {
    *("state/current-run.js", "inside/state/current-run.js"),
    *("compare.js", "guess.js", "lecture/lecture.js", "wall.js"),
}

# `import x from "./y.js"`, `export * from "./y.js"`, `import "./y.js"` and `import("./y.js")`;
# also `import("./y.js").Name` in a JSDoc type, which loads nothing but depends on the module.
IMPORT = re.compile(r'\b(?:from|import)\s*\(?\s*"(\.{1,2}/[^"]+)"')


NAMED_IMPORT = re.compile(r'\bimport\s*\{([^}]*)\}\s*from\s*"(\.{1,2}/[^"]+)"')
NAMESPACE_IMPORT = re.compile(r'\bimport \* as (\w+) from "(\.{1,2}/[^"]+)"')
EXPORT = re.compile(r"^export (?:async )?(?:function\*?|const|let|class) (\w+)", re.MULTILINE)


def modules() -> list[str]:
    return sorted(path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*.js"))


def imports(module: str) -> list[str]:
    directory = posixpath.dirname(module)
    found = IMPORT.findall((SCRIPTS / module).read_text(encoding="utf-8"))
    return [posixpath.normpath(posixpath.join(directory, path)) for path in found]


def test_every_directory_has_a_layer() -> None:
    assert {posixpath.dirname(module) for module in modules()} == set(LAYERS)


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_from_its_directory_and_lower_layers(module: str) -> None:
    directory = posixpath.dirname(module)
    for target in imports(module):
        assert (SCRIPTS / target).is_file(), f"{module} imports {target}, which does not exist"
        other = posixpath.dirname(target)
        assert other == directory or LAYERS[other] < LAYERS[directory], f"{module} imports {target}"


def test_no_module_imports_itself_through_others() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for target in imports(module):
                visit(target, (*path, module))
            done.add(module)

    for module in modules():
        visit(module, ())


def imported_names(module: str) -> set[tuple[str, str]]:
    """Return the modules and names that a module imports."""
    script = (SCRIPTS / module).read_text(encoding="utf-8")
    directory = posixpath.dirname(module)
    found = set()
    for names, path in NAMED_IMPORT.findall(script):
        target = posixpath.normpath(posixpath.join(directory, path))
        found |= {(target, name.split(" as ")[0].strip()) for name in names.split(",")}
    for namespace, path in NAMESPACE_IMPORT.findall(script):
        target = posixpath.normpath(posixpath.join(directory, path))
        found |= {(target, name) for name in re.findall(rf"\b{namespace}\.(\w+)", script)}
    return found


def test_every_export_is_used_by_another_module_or_a_test() -> None:
    used = set().union(*(imported_names(module) for module in modules()))
    tests = "".join(path.read_text(encoding="utf-8") for path in BROWSER_TESTS.rglob("*.py"))
    unused = [
        f"{module}: {name}"
        for module in modules()
        for name in EXPORT.findall((SCRIPTS / module).read_text(encoding="utf-8"))
        if (module, name) not in used
        and not (module in tests and re.search(rf"\bm\.{name}\b", tests))
    ]
    assert not unused


def test_every_icon_has_an_id_of_its_own() -> None:
    icons = Path("templates/icons.html").read_text(encoding="utf-8")
    ids = Counter(re.findall(r'<symbol id="([^"]+)"', icons))
    assert ids
    assert [name for name, times in ids.items() if times > 1] == []


def test_no_line_is_too_long() -> None:
    too_long = [
        f"{module}:{number}"
        for module in modules()
        for number, line in enumerate((SCRIPTS / module).read_text("utf-8").splitlines(), 1)
        if len(line) > MOST_COLUMNS
    ]
    assert not too_long


def test_views_do_not_touch_the_websocket() -> None:
    assert {m for m in modules() if "net/live-socket.js" in imports(m)} <= MAY_OPEN_SOCKETS
    users = {m for m in modules() if "WebSocket(" in (SCRIPTS / m).read_text(encoding="utf-8")}
    assert users == {"net/live-socket.js"}


@pytest.mark.parametrize(
    ("root", "pattern"),
    [
        ("server", "[a-z]*.py"),
        ("static/js", "*.js"),
        ("static/css", "*.css"),
        ("tests", "test_*.py"),
    ],
)
def test_no_directory_holds_more_modules_than_fit_on_a_screen(root: str, pattern: str) -> None:
    directories = Counter(path.parent for path in (ROOT / root).rglob(pattern))
    too_full = {
        str(directory): count
        for directory, count in directories.items()
        if count > MOST_IN_A_DIRECTORY
    }
    assert not too_full
