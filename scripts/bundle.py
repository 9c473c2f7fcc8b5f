"""Joins the modules and the style sheets of each page in static/bundles/, with esbuild.

`make generate` runs it. The server serves a bundle only while its sources are those recorded with
it, so a page can be edited without this step; tests/scripts/test_bundle.py fails until it is done.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from server.web.http.static_files import BUNDLES, SOURCES, StaticFiles

__all__ = ["ENTRIES", "STATIC", "write_bundles"]

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "static"
ESBUILD = ROOT / ".cache" / "esbuild" / "esbuild"
PAGES = (
    *("watch", "inside", "compare", "sweeps", "wall", "gallery", "gradients"),
    *("course", "mistakes", "guess", "standalone"),
)
ENTRIES = tuple(f"{kind}/{page}.{kind}" for kind in ("js", "css") for page in PAGES)


def write_bundles(static: Path = STATIC) -> None:
    """Replace the bundles in a directory of static files."""
    shutil.rmtree(static / BUNDLES, ignore_errors=True)
    subprocess.run(
        [
            ESBUILD,
            *(str(static / entry) for entry in ENTRIES),
            "--bundle",
            "--minify",
            "--format=esm",
            "--target=esnext",
            "--charset=utf8",
            "--legal-comments=none",
            "--log-level=warning",
            # Fonts and images stay files of their own.
            f"--external:{static}/*.woff2",
            f"--external:{static}/*.svg",
            # In one directory, from which esbuild makes the paths of fonts relative.
            "--entry-names=[name]",
            f"--outdir={static / BUNDLES}",
        ],
        check=True,
    )
    files = StaticFiles(static)
    hashes = {entry: files.sources_hash(entry) for entry in ENTRIES}
    (static / SOURCES).write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Write the bundles that are out of date."""
    files = StaticFiles(STATIC)
    if any(not path.startswith(f"{BUNDLES}/") for path in _served(files)):
        write_bundles()
        print(f"Wrote {(STATIC / BUNDLES).relative_to(ROOT)}/")


def _served(files: StaticFiles) -> list[str]:
    return [
        path
        for entry in ENTRIES
        for path in (files.module_paths if entry.endswith(".js") else files.style_paths)(entry)
    ]


if __name__ == "__main__":
    main()
