"""Known formats, one YAML each: adding a format is adding a file here."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from core.errors import Refused

_FOLDER = Path(__file__).parent
GENERIC = "generic"


def fold(name: str) -> str:
    """A column's name for comparing: full-width and case folded, only letters and digits count."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", name).casefold()).strip()


@lru_cache(1)
def profiles() -> dict[str, dict[str, Any]]:
    """All named profiles by name, the most demanding first."""
    found = [
        yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader) for path in sorted(_FOLDER.glob("*.yaml"))
    ]
    variants = [{**profile, **own} for profile in found for own in profile.pop("variants", ())]
    named = [profile for profile in (*found, *variants) if "needs" in profile]
    return {profile["name"]: profile for profile in sorted(named, key=lambda one: -len(one["needs"]))}


def known(name: str) -> Mapping[str, Any] | None:
    """The profile of that name, None for "generic". Raises Refused for a name there is not."""
    if name != GENERIC and name not in profiles():
        raise Refused(
            f"There is no profile {name!r}; there are {', '.join([*profiles(), GENERIC])}.",
            rule="unknown_profile",
        )
    return profiles().get(name)


def recognise(file_format: str, header: Iterable[str], record_path: str | None) -> Mapping[str, Any] | None:
    """The named profile that a file's columns (or XML record) show, None where none fits."""
    exact = set(header)
    names = {fold(name) for name in exact}
    for profile in profiles().values():
        if _written_as(file_format) in profile["formats"]:
            wanted = profile.get("record_paths")
            if (
                file_format in ("xml", "json", "jsonl")
                and wanted
                and not any((record_path or "").endswith(path) for path in wanted)
            ):
                continue
            if all(
                any(_there(name, exact, names) for name in alternatives) for alternatives in profile["needs"]
            ):
                return profile
    return None


def _there(name: str, exact: set[str], folded: set[str]) -> bool:
    """An attribute ("@type") is none but itself; of other names only letters and digits count."""
    return name in exact if "@" in name else fold(name) in folded


def in_one_currency(
    profile: Mapping[str, Any], header: Iterable[str], sample: Any, wanted: str | None
) -> Mapping[str, Any]:
    """The profile with "{currency}" filled in, where the format carries prices in several: the wanted one, else the first.

    `currencies: {header: pattern}` finds them in the columns' names, `{column: name}` in that column's values.
    """
    rule = profile.get("currencies")
    if not rule:
        return profile
    if "header" in rule:
        found = [match[1] for name in header if (match := re.search(rule["header"], name))]
    else:
        cells = sample.get(rule["column"], ())
        found = list(
            dict.fromkeys(
                one for cell in cells if isinstance(cell, str) for one in re.split("[\x1e\x1f]", cell)
            )
        )
    found = [one for one in found if one]
    chosen = wanted if wanted in found or not found else found[0]
    filled = _filled(dict(profile), chosen or "")
    return {**filled, "currency": chosen} if "header" in rule and chosen else filled


def _filled(part: Any, currency: str) -> Any:
    if isinstance(part, dict):
        return {name: one if name == "template" else _filled(one, currency) for name, one in part.items()}
    if isinstance(part, list):
        return [_filled(one, currency) for one in part]
    return part.replace("{currency}", currency) if isinstance(part, str) else part


def _written_as(file_format: str) -> str:
    """A workbook's table has the columns that the same list has as CSV."""
    return "csv" if file_format in ("xlsx", "xls", "ods") else file_format
