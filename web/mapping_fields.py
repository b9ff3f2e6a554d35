"""A field of a mapping as a form and as a row: its columns, its operations as lines of YAML, its values."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as fresh
from typing import Any

import yaml

from core.errors import Refused
from pipelines.feeds.mapping.checking import operations as told_operations
from pipelines.feeds.mapping.checking import schema
from pipelines.feeds.mapping.drift import columns_named
from pipelines.feeds.mappings import from_text, ordered, title_of, words_of

FIELDS: dict[str, str] = {
    name: told["description"].replace("`", "")
    for name, told in schema()["properties"]["fields"]["properties"].items()
}
"""field -> what it is."""
SOURCES = 4
"""Columns that the form offers one after the other; a field of more, or of others than plain columns, is YAML."""


_NAMES = {
    "supplier_sku": "Supplier's number", "source_id": "Id in the file", "gtin": "GTIN", "mpn": "MPN", "rrp": "RRP", "map_price": "MAP price", "hs_code": "HS code",
    "weight_g": "Weight in g", "length_mm": "Length in mm", "width_mm": "Width in mm", "height_mm": "Height in mm", "lead_time_days": "Lead time in days",
    "source_url": "Page", "group_key": "Group", "minimum": "Minimum order", "step": "Order step",
}  # fmt: skip


def told(name: str) -> str:
    """A field's name for people: "gtin" -> "GTIN", "valid_to" -> "Valid to"."""
    return _NAMES.get(name, name.replace("_", " ").capitalize())


def line(operation: Any) -> str:
    """An operation as one line: "money: {decimal: ','}"."""
    if isinstance(operation, str):
        return operation
    (name, argument) = next(iter(operation.items()))
    if argument is None:
        return str(name)
    dumped = yaml.safe_dump(
        argument, default_flow_style=True, allow_unicode=True, sort_keys=False, width=100_000
    )
    return f"{name}: {dumped.strip().removesuffix('...').strip()}"


OPERATIONS: list[dict[str, str]] = [
    {
        "name": name, "title": one["title"], "about": one["description"].replace("`", ""),
        "line": line({name: one["examples"][0]} if one["examples"][0] is not None else name),
    }
    for name, one in told_operations().items()
]  # fmt: skip
"""Every operation with a line to begin with."""


@dataclass
class FieldForm:
    """What the editor of a field shows and sends. `text` is the field as YAML where the form cannot show it."""

    field: str
    sources: list[str] = fresh(default_factory=list)
    every: bool = False
    lines: str = ""
    text: str | None = None
    base: int = 0
    note: str = ""
    problem: str | None = None

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any], column: str = "") -> "FieldForm":
        """The form for what the document says; `column` where it says nothing."""
        spec = document["fields"].get(name)
        if not spec:
            begin = [one for one in (column,) if one]
            return cls(
                name,
                begin,
                name == "images",
                "\n".join(map(line, _usual(name))),
                None if not _paired(name) else "pairs:\n",
            )
        plain = (
            "from" in spec
            and len(spec["from"]) <= SOURCES
            and all(isinstance(one, str) for one in spec["from"])
        )
        if not plain:
            kept = {part: value for part, value in spec.items() if part != "confidence"}
            return cls(
                name,
                text=yaml.safe_dump(
                    kept, allow_unicode=True, sort_keys=False, width=100, default_flow_style=None
                ),
            )
        return cls(
            name, list(spec["from"]), bool(spec.get("all")), "\n".join(map(line, spec.get("operations", [])))
        )

    @classmethod
    def sent(cls, name: str, document: Mapping[str, Any], values: Mapping[str, str]) -> "FieldForm":
        """The form as it came back, with an operation added where a chip was pressed."""
        sources = [one for number in range(SOURCES) if (one := values.get(f"source-{number}", ""))]
        base = values.get("base", "0")
        form = cls(
            name, list(dict.fromkeys(sources)), values.get("every") == "yes", values.get("lines", "").replace("\r\n", "\n").strip("\n"),
            values["text"].replace("\r\n", "\n") if "text" in values else None, int(base) if base.isdecimal() and len(base) < 10 else 0,
            values.get("note", "")[:1000],
        )  # fmt: skip
        if values.get("as_text"):
            form.text = yaml.safe_dump(
                form.spec(), allow_unicode=True, sort_keys=False, width=100, default_flow_style=None
            )
        if (
            added := next((one["line"] for one in OPERATIONS if one["name"] == values.get("add")), None)
        ) is not None:
            form.lines = f"{form.lines}\n{added}".strip("\n")
        return form

    def spec(self) -> dict[str, Any] | None:
        """The field's part of a document, None where nothing is read into it. Raises Refused with the line."""
        if self.text is not None:
            return from_text(self.text) if self.text.strip() else None
        if not self.sources:
            return None
        found = [
            self._operation(number, one)
            for number, one in enumerate(self.lines.splitlines(), 1)
            if one.strip()
        ]
        spec: dict[str, Any] = {"from": self.sources}
        if self.every:
            spec["all"] = True
        return {**spec, "operations": found} if found else spec

    def _operation(self, number: int, text: str) -> Any:
        plain = text.strip().removeprefix("- ").strip()
        if ":" not in plain:
            return plain
        try:
            parsed = from_text(plain)
        except Refused as error:
            raise Refused(f"Operation {number} ({plain}): {error}", rule="mapping_invalid") from None
        return parsed


def field_rows(document: Mapping[str, Any], samples: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each field of a document for the table: columns, operations, confidence and values."""
    return [
        {
            "name": name, "told": told(name), "about": FIELDS.get(name, ""), "columns": columns_named(spec),
            "sources": _sources(spec), "operations": [(words_of(one), title_of(one)) for one in spec.get("operations", [])],
            "confidence": spec.get("confidence"), "samples": samples.get("fields", {}).get(name, []),
        }
        for name, spec in ordered(document)["fields"].items() if spec
    ]  # fmt: skip


def _sources(spec: Mapping[str, Any]) -> list[str]:
    """The sources in words, the first one first."""
    if "pairs" in spec:
        return [value if isinstance(name, str) else str(name["value"]) for name, value in spec["pairs"]]
    words = []
    for source in spec["from"]:
        if isinstance(source, str):
            words.append(source)
        elif "value" in source:
            words.append(f"always {source['value']}")
        elif "template" in source:
            words.append(source["template"])
        else:
            beside = source.get("where", {})
            only = f" where {beside['column']} is {', '.join(beside.get('is', []))}" if "is" in beside else ""
            inside = f" from {' to '.join(source['window'])}" if "window" in source else ""
            words.append(f"{source['column']}{only}{inside}")
    return words


def _usual(name: str) -> list[Any]:
    from pipelines.feeds.mapping.proposal import OPERATIONS as usual

    return usual.get(name, [])


def _paired(name: str) -> bool:
    return name in ("options", "attributes", "titles", "descriptions", "cost_tiers")
