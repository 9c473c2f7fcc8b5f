"""Makes the icons of the installed page from ``static/icon.svg``.

``python -m scripts.with_browser python -m scripts.icons`` writes ``static/icons/``; run it after a
change of the mark.
"""

import os
from pathlib import Path

from playwright.sync_api import sync_playwright

__all__ = ["ICONS", "main"]

STATIC = Path(__file__).resolve().parent.parent / "static"
# Whole: the mark fills the square, whose corners the system cuts off. The safe zone of a maskable
# icon is a circle with 0.8 of its width, and the mark's outermost point is at 0.44 of its width
# from the centre.
ICONS = {
    "192": (192, "rounded"),
    "512": (512, "rounded"),
    "maskable-512": (512, "maskable"),
    "apple-touch": (180, "whole"),
}
SCALES = {"rounded": 1.0, "whole": 1.0, "maskable": 0.85}


def main() -> None:
    """Write all icons."""
    mark = (STATIC / "icon.svg").read_text(encoding="utf-8")
    ground, drawing = mark.split("/>", 1)
    (STATIC / "icons").mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["HURRAH_BROWSER"], args=["--no-sandbox"]
        )
        page = browser.new_page()
        for name, (pixels, shape) in ICONS.items():
            corners = ground if shape == "rounded" else ground.replace('rx="7"', "")
            moved = f'<g transform="translate(16 16) scale({SCALES[shape]}) translate(-16 -16)">'
            svg = f"{corners}/>{moved}{drawing.replace('</svg>', '</g></svg>')}"
            page.set_viewport_size({"width": pixels, "height": pixels})
            page.set_content(f"<style>body{{margin:0}}svg{{display:block}}</style>{svg}")
            page.screenshot(path=STATIC / "icons" / f"{name}.png", omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
