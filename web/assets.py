"""Copies the listed files out of web/node_modules into web/static/vendor: `python -m web.assets`.

Nothing else of those packages is ever served. `./run` calls it after `npm ci`; the icons become one sprite.
"""

import re
import shutil
import sys
from pathlib import Path

from core.errors import EntrepotError, Misconfigured

WEB = Path(__file__).resolve().parent
MODULES = WEB / "node_modules"
VENDOR = WEB / "static" / "vendor"

FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.css",
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter-latin.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "inter-latin-ext.woff2",
    "@fontsource-variable/inter/files/inter-cyrillic-wght-normal.woff2": "inter-cyrillic.woff2",
    "@fontsource-variable/inter/files/inter-greek-wght-normal.woff2": "inter-greek.woff2",
}
"""Path below node_modules → name below static/vendor."""

ICONS = (
    "alert-triangle", "arrow-narrow-right", "building-bank", "building-store", "check", "chevron-down",
    "chevron-left", "chevron-right", "circle-check", "circle-x", "clock", "cloud-upload", "coins", "dots", "download",
    "eye", "file-text", "git-compare", "help", "inbox", "layout-dashboard", "list-details", "lock",
    "logout", "mail-x", "moon", "package", "plug-connected", "plus", "receipt", "refresh", "search", "send",
    "settings", "shield-check", "shopping-cart", "sort-ascending", "sort-descending", "stack-2", "sun", "trash", "truck-delivery", "user", "x",
)  # fmt: skip
"""Names of outline icons that the templates use."""


def main() -> int:
    """Makes static/vendor anew; 1 with one sentence on stderr where a file is missing."""
    try:
        copy(MODULES, VENDOR)
    except EntrepotError as error:
        sys.stderr.write(f"entrepot: {error}\n")
        return 1
    return 0


def copy(modules: Path, vendor: Path) -> None:
    """The listed files and the icons' sprite, from `modules` into `vendor`. Raises Misconfigured naming what is missing."""
    vendor.mkdir(parents=True, exist_ok=True)
    for source, target in FILES.items():
        _there(modules / source)
        shutil.copyfile(modules / source, vendor / target)
        (vendor / target).chmod(0o644)
    (vendor / "icons.svg").write_text(sprite(modules), encoding="utf-8")


def sprite(modules: Path) -> str:
    """One SVG with a symbol for each of ICONS, to be used as <use href="icons.svg#name">."""
    symbols = []
    for name in ICONS:
        drawing = _there(modules / "@tabler/icons/icons/outline" / f"{name}.svg").read_text(encoding="utf-8")
        body = re.search(r"<svg[^>]*>(.*)</svg>", drawing, re.DOTALL)
        if body is None:
            raise Misconfigured(f"The icon {name} is no SVG drawing; look at its file in web/node_modules.")
        lines = "".join(line.strip() for line in body[1].splitlines())
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{lines}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def _there(file: Path) -> Path:
    if not file.is_file():
        raise Misconfigured(f"{file} is missing: run `npm ci` in web/, which ./run does by itself.")
    return file


if __name__ == "__main__":
    sys.exit(main())
