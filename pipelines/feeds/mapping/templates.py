"""Sources of a field: which columns each reads, and text composed of several columns ("{brand} {title}")."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.errors import Refused
from pipelines.feeds.mapping.columns import missing, text_series, without_missing

_NAMED = re.compile(r"\{([^{}]+)\}")
_LOOSE = " -–,;:/|·>"  # what stood between two columns of which one is blank


def columns_of_source(source: Any) -> list[str]:
    """The columns that one source of a field is read from: a name, {"column": …}, {"template": …}; {"value": …} has none."""
    if isinstance(source, str):
        return [source]
    if "template" in source:
        return template_columns(source["template"])
    return [source["column"]] if "column" in source else []


def template_columns(template: str) -> list[str]:
    """ "{Marke} {Titel}" -> ["Marke", "Titel"]. Raises Refused where it names no column."""
    names = _NAMED.findall(template)
    if not names:
        raise Refused(
            f"The template {template!r} names no column; write them in braces, like {{Brand}} {{Title}}.",
            rule="mapping_invalid",
        )
    return list(dict.fromkeys(names))


def renamed(template: str, names: Mapping[str, str | None]) -> str:
    """The template with its columns as the file spells them; what the file has not keeps its name."""
    return _NAMED.sub(lambda found: "{" + (names.get(found[1]) or found[1]) + "}", template)


def composed(frame: pd.DataFrame, template: str, words: frozenset[str]) -> pd.Series:
    """The template filled from each record; a column without a value leaves nothing, all without one leave no value."""
    names = template_columns(template)
    columns = {
        name: without_missing(frame[name], words | {""}) if name in frame else missing(frame.index)
        for name in names
    }
    blank = pd.concat([one.isna() for one in columns.values()], axis=1)
    none, some = blank.all(axis=1).to_numpy(dtype=bool), blank.any(axis=1).to_numpy(dtype=bool)
    whole = text_series("", frame.index)
    for place, piece in enumerate(_NAMED.split(template)):
        whole = whole + (columns[piece].fillna("") if place % 2 else piece)
    whole = whole.str.replace(r"\s+", " ", regex=True).str.strip()
    return whole.where(~some, whole.str.strip(_LOOSE)).where(~none)
