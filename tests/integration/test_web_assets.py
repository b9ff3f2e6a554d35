"""The console's assets: exactly the listed files are copied, and the templates use exactly the listed icons."""

import json
import re
from pathlib import Path

import pytest

from core.errors import Misconfigured
from web.assets import FILES, ICONS, WEB, copy


def packages(folder: Path) -> Path:
    """A node_modules with every listed file, and one more that must not be served."""
    for name in (*FILES, "@tabler/core/dist/js/tabler.js"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    icons = folder / "@tabler/icons/icons/outline"
    icons.mkdir(parents=True)
    for name in ICONS:
        (icons / f"{name}.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" stroke="currentColor">\n  <path d="M1 1" id="{name}" />\n</svg>'
        )
    return folder


def test_exactly_the_listed_files_are_copied(tmp_path: Path) -> None:
    copy(packages(tmp_path / "node_modules"), tmp_path / "vendor")
    assert {file.name for file in (tmp_path / "vendor").iterdir()} == {*FILES.values(), "icons.svg"}
    assert (tmp_path / "vendor" / "tabler.css").read_text() == "@tabler/core/dist/css/tabler.min.css"
    sprite = (tmp_path / "vendor" / "icons.svg").read_text()
    assert re.findall(
        r'<symbol id="([a-z0-9-]+)" viewBox="0 0 24 24"><path d="M1 1" id="\1" /></symbol>', sprite
    ) == list(ICONS)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    modules = packages(tmp_path / "node_modules")
    (modules / "htmx.org/dist/htmx.min.js").unlink()
    with pytest.raises(Misconfigured, match=r"htmx\.org/dist/htmx\.min\.js is missing: run `npm ci`"):
        copy(modules, tmp_path / "vendor")


def test_the_templates_use_exactly_the_listed_icons() -> None:
    text = "".join(
        file.read_text()
        for folder in ("templates", "pages", "queries")
        for file in (WEB / folder).rglob("*")
        if file.suffix in (".html", ".py")
    )
    text += (WEB / "deps.py").read_text()
    used = {name for name in ICONS if f'"{name}"' in text}
    named = set(re.findall(r'(?:icon|p\.empty)\("([a-z0-9-]+)"', text))
    assert named <= set(ICONS)
    assert sorted(set(ICONS) - used) == []


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-")
