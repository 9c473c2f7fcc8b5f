"""The page's modules import in one direction, and no directory holds too many of them."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "static" / "js"
MOST_IN_A_DIRECTORY = 14

# A module imports from its own directory and from directories on a lower floor.
FLOORS = {
    "lib": 1,
    "net": 2,
    "ui": 2,
    "gradients": 2,
    "curve": 3,
    "state": 4,
    "reading": 4,
    "runs": 4,
    "chart": 5,
    "writing": 5,
    "compare": 5,
    "passage": 6,
    "": 7,
}

# Only these open a WebSocket; views get what it brings from the store.
MAY_OPEN_SOCKETS = {"state/current-run.js", "compare.js"}

# `import x from "./y.js"`, `export * from "./y.js"`, `import "./y.js"` and `import("./y.js")`;
# also `import("./y.js").Name` in a JSDoc type, which loads nothing but depends on the module.
IMPORT = re.compile(r'\b(?:from|import)\s*\(?\s*"(\.{1,2}/[^"]+)"')


def modules() -> list[str]:
    return sorted(path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*.js"))


def imports(module: str) -> list[str]:
    directory = posixpath.dirname(module)
    found = IMPORT.findall((SCRIPTS / module).read_text(encoding="utf-8"))
    return [posixpath.normpath(posixpath.join(directory, path)) for path in found]


def test_every_directory_has_a_floor() -> None:
    assert {posixpath.dirname(module) for module in modules()} == set(FLOORS)


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_from_its_directory_and_lower_floors(module: str) -> None:
    directory = posixpath.dirname(module)
    for target in imports(module):
        assert (SCRIPTS / target).is_file(), f"{module} imports {target}, which does not exist"
        other = posixpath.dirname(target)
        assert other == directory or FLOORS[other] < FLOORS[directory], f"{module} imports {target}"


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


def test_views_do_not_touch_the_websocket() -> None:
    assert {m for m in modules() if "net/live-socket.js" in imports(m)} <= MAY_OPEN_SOCKETS
    users = {m for m in modules() if "WebSocket(" in (SCRIPTS / m).read_text(encoding="utf-8")}
    assert users == {"net/live-socket.js"}


@pytest.mark.parametrize(
    ("root", "pattern"),
    [("static/js", "*.js"), ("static/css", "*.css"), ("tests/browser", "test_*.py")],
)
def test_no_directory_holds_more_modules_than_fit_on_a_screen(root: str, pattern: str) -> None:
    directories = Counter(path.parent for path in (ROOT / root).rglob(pattern))
    too_full = {
        str(directory): count
        for directory, count in directories.items()
        if count > MOST_IN_A_DIRECTORY
    }
    assert not too_full
