"""A feed with files that were really read, in this process: what tests of mappings stand on."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy.orm import Session

import pipelines.feeds.preview as previewing
import pipelines.feeds.read as reading
from connectors.sources.archive import archive
from core.database import Database
from core.errors import EntrepotError, Refused
from core.settings import load
from models.mappings import HUB, add_version
from models.suppliers import Feed
from pipelines.feeds.land import receive
from pipelines.feeds.parse import parse, send
from tests import builders as make
from tests.stepping import run_all

LIST = (
    "Artikelnr;Bezeichnung;EK netto;Menge;EAN;Zusatz\n"
    "A1;Lampe;10,50;3;4006381333931;x\nA2;Tisch;-;4;4006381333948;y\nA3;Bett;20,00;0;;z\n"
)
"""Two records are accepted, the second has no price."""


def document(
    columns: dict[str, str] | None = None, rules: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """A mapping of a German price list; `columns` by their fields replace the usual ones."""
    names = {
        "supplier_sku": "Artikelnummer", "gtin": "EAN", "title": "Bezeichnung", "brand": "Hersteller", "cost": "EK netto", "stock": "Bestand",
        "weight_g": "Gewicht (kg)", "images": "Bild", **(columns or {}),
    }  # fmt: skip
    usual: dict[str, list[Any]] = {
        "gtin": [{"gtin": {"repair": True}}], "title": ["text"], "cost": [{"money": {"decimal": ","}}], "stock": [{"number": {"whole": True, "decimal": ""}}],
        "weight_g": [{"unit": {"to": "g", "of": "kg"}}], "images": ["url"],
    }  # fmt: skip
    fields: dict[str, Any] = {
        field: {
            "from": [name],
            "operations": usual.get(field, ["trim"]),
            "confidence": 0.55 if field == "brand" else 0.96,
        }
        for field, name in names.items()
    }
    fields["attributes"] = {
        "pairs": [[{"value": name}, name] for name in ("Farbe", "Schutzart", "Sockel")],
        "confidence": 0.5,
    }
    header = [*names.values(), "Farbe", "Schutzart", "Sockel", "Staffelpreis", "Interne Nummer"]
    dialect = {
        "format": "csv",
        "encoding": "cp1252",
        "delimiter": ";",
        "quoteChar": '"',
        "headerRow": 0,
        "header": header,
        "missingValues": ["", "-"],
    }
    return {
        "version": 1,
        "profile": "generic",
        "dialect": dialect,
        "key": ["supplier_sku", "gtin"],
        "fields": fields,
        "rules": rules or [],
    }


def pinned(session: Session, feed: Feed, *documents: dict[str, Any], note: str = "") -> None:
    """Versions of a feed's mapping: the first by the hub, the others by the operator."""
    for number, one in enumerate(documents):
        author, said = ("operator", note) if number else (HUB, "Proposed for run 1.")
        add_version(session, feed, one, author, said)
        session.flush()


def in_this_process(patch: pytest.MonkeyPatch) -> None:
    """Reading and previewing without a child process: a second less for each."""

    def frames(order: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes]]:
        out = io.BytesIO()
        try:
            parse(order, out)
        except EntrepotError as error:
            send(out, "error", orjson.dumps({"message": str(error), "rule": getattr(error, "rule", "")}))
        out.seek(0)
        while line := out.readline():
            head = orjson.loads(line)
            yield head, out.read(head["bytes"])

    def ask(order: dict[str, Any], want: str, **more: Any) -> dict[str, Any]:
        told = orjson.loads(orjson.dumps({**order, "want": want, **more}))
        answer = previewing.answered(told)
        found: dict[str, Any] = orjson.loads(
            orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY, default=str)
        )
        if "error" in found:
            raise Refused(found["error"], rule=found["rule"])
        return found

    patch.setattr(reading, "frames", frames)
    patch.setattr(previewing, "ask", ask)
    for module in ("web.api.feed_mapping", "web.pages.feed_mapping"):
        patch.setattr(f"{module}.ask", ask)


def feed_with(db: Database, *files: str, folder: Path, **values: Any) -> int:
    """A feed "liste" in euros that took these files in, one after the other; its id."""
    with db.unit_of_work() as uow:
        feed_id = make.feed(uow.session, name="liste", **values).id
    for number, text in enumerate(files, start=1):
        send_file(db, feed_id, folder / f"liste-{number}.csv", text)
    return feed_id


def send_file(db: Database, feed_id: int, file: Path, text: str) -> int:
    """Takes one file in and runs all that follows; the run's id."""
    file.write_text(text, "utf-8")
    landed = archive(file, load().archive)
    with db.unit_of_work() as uow:
        run_id = receive(uow, uow.session.get_one(Feed, feed_id), landed).id
    run_all(db)
    return run_id
