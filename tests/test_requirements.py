"""The lock files agree with pyproject.toml and with each other, and name no package index."""

import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", text, flags=re.MULTILINE))


def name_of(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")


@pytest.mark.parametrize(
    ("lock", "named"),
    [
        ("run.txt", PROJECT["project"]["dependencies"]),
        ("dev.txt", PROJECT["dependency-groups"]["dev"]),
        ("fast.txt", PROJECT["project"]["optional-dependencies"]["fast"]),
        ("sweep.txt", PROJECT["project"]["optional-dependencies"]["sweep"]),
        ("cluster.txt", PROJECT["project"]["optional-dependencies"]["cluster"]),
        ("metrics.txt", PROJECT["project"]["optional-dependencies"]["metrics"]),
        ("bench.txt", PROJECT["dependency-groups"]["bench"]),
        ("node.txt", PROJECT["dependency-groups"]["node"]),
        ("docs.txt", PROJECT["dependency-groups"]["docs"]),
        ("tools.txt", PROJECT["dependency-groups"]["tools"]),
    ],
)
def test_every_dependency_is_locked(lock: str, named: list[str]) -> None:
    assert {name_of(requirement) for requirement in named} <= pins(lock).keys()


def test_tests_and_benchmarks_use_the_servers_versions() -> None:
    assert pins("run.txt").items() <= pins("dev.txt").items()
    assert pins("run.txt").items() <= pins("fast.txt").items() <= pins("bench.txt").items()
    for extra in ("sweep.txt", "cluster.txt", "metrics.txt"):
        assert pins("run.txt").items() <= pins(extra).items() <= pins("dev.txt").items()


@pytest.mark.parametrize(
    "lock",
    [
        "run.txt",
        "dev.txt",
        "fast.txt",
        "sweep.txt",
        "cluster.txt",
        "metrics.txt",
        "bench.txt",
        "node.txt",
        "docs.txt",
        "tools.txt",
    ],
)
def test_every_pin_has_hashes_and_no_index_is_named(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=[a-z])", text)[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]
    assert "://" not in text
    assert "--index-url" not in text


@pytest.mark.parametrize("tool", ["typescript", "esbuild"])
def test_the_lock_of_a_tool_from_npm_has_hashes_and_names_no_place(tool: str) -> None:
    directory = ROOT / "requirements" / tool
    text = (directory / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    named = json.loads((directory / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert packages[""]["devDependencies"] == named
    assert packages[f"node_modules/{tool}"]["version"] == named[tool]
    assert all("integrity" in package for path, package in packages.items() if path)
    assert "://" not in text


def test_plotly_is_the_file_that_its_readme_describes() -> None:
    directory = ROOT / "static/vendor/plotly"
    readme = (directory / "README.md").read_text(encoding="utf-8")
    script = (directory / "plotly-basic.min.js").read_bytes()
    version = re.search(rb"plotly\.js \(basic - minified\) v([\d.]+)\n", script)
    assert version is not None
    assert f"# Plotly, basic bundle {version[1].decode()}\n" in readme
    assert f"`{hashlib.sha256(script).hexdigest()}`" in readme


@pytest.mark.parametrize("font", ["inter", "source-serif-4"])
def test_the_fonts_are_the_files_that_their_readme_describes(font: str) -> None:
    directory = ROOT / "static/vendor" / font
    readme = (directory / "README.md").read_text(encoding="utf-8")
    files = sorted(directory.glob("*.woff2"))
    assert len(files) >= 2
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert f"| `{file.name}` | `{digest}` |" in readme
    assert "SIL Open Font License, Version 1.1" in (directory / "LICENSE").read_text("utf-8")
    rules = (ROOT / "static/css/fonts.css").read_text(encoding="utf-8")
    assert all(f'url("../vendor/{font}/{file.name}")' in rules for file in files)


def test_the_script_of_the_documentations_search_is_the_file_that_its_readme_describes() -> None:
    directory = ROOT / "docs/theme/iframe-worker"
    readme = (directory / "README.md").read_text(encoding="utf-8")
    digest = hashlib.sha256((directory / "iframe-worker.js").read_bytes()).hexdigest()
    assert f"| `iframe-worker.js` | `{digest}` |" in readme
    assert "Permission is hereby granted" in (directory / "LICENSE").read_text("utf-8")
