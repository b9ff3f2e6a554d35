"""What a mapping would make of a feed's last file, before it counts: record by record, field by field.

It parses, so it runs as a process of its own: `python -m pipelines.feeds.preview` takes one order as JSON on standard
input and answers with one JSON object, or {"error": sentence, "rule": …}.
"""

import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from math import isnan
from pathlib import Path
from typing import Any

import orjson

from connectors.sources.archive import archived
from core.database import UnitOfWork
from core.errors import EntrepotError, Refused, Temporary, there_is
from core.settings import CHECKOUT, Settings
from models.suppliers import Feed, FeedRun, Reject

FIRST = 50
"""Records from the file's beginning that are shown."""
LOOKED_AT = 20_000
"""Records; rejects that lie behind are read again only where everything is asked for: somebody waits for the answer."""
SHOWN = 1_000
"""Records in an answer, those that differ first; its counts are over all that were looked at."""
SECONDS = 120
"""What an answer may take; ten times that for everything."""
MEMORY_LIMIT = 4 << 30


def order_for(uow: UnitOfWork, settings: Settings, feed_id: int) -> dict[str, Any]:
    """What a child must know to read the feed's last file. Raises Refused where there is none."""
    feed = there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
    runs = uow.session.query(FeedRun).filter_by(feed_id=feed.id).order_by(FeedRun.id.desc()).limit(50).all()
    run = next((one for one in runs if one.summary), runs[0] if runs else None)
    if run is None:
        raise Refused(
            f"No file of {feed.name} has come yet, so there is nothing to look at: send one first.",
            rule="no_file",
        )
    file = archived(settings.archive, run.file_sha256)
    if not file.is_file():
        raise Refused(f"The file of run {run.id} is no longer in the archive: send it again.", rule="no_file")
    places = uow.session.query(Reject.place).filter_by(run_id=run.id).order_by(Reject.place)
    return {
        "file": str(file), "name": run.file_name, "run": run.id, "sha256": run.file_sha256, "profile": feed.profile,
        "currency": feed.currency, "policy": feed.policy, "document": feed.document, "rejects": [place for (place,) in places],
    }  # fmt: skip


def ask(order: Mapping[str, Any], want: str, **more: Any) -> dict[str, Any]:
    """The child's answer to `want`: "records" (with `after`, a document, and `everything`), "fields" or "proposal".

    Raises Refused with the child's sentence, Temporary where it died or took too long.
    """
    seconds = SECONDS * (10 if more.get("everything") else 1)
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines.feeds.preview"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        cwd=CHECKOUT, env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    ) as child:  # fmt: skip
        try:
            out, _ = child.communicate(orjson.dumps({**order, "want": want, **more}), timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Temporary(
                f"Reading {order['name']} took more than {seconds} seconds; try again later."
            ) from None
        except BaseException:
            child.kill()
            raise
    if child.returncode != 0 or not out:
        raise Temporary(f"Reading {order['name']} ended with code {child.returncode} before it was done.")
    answer: dict[str, Any] = orjson.loads(out)
    if "error" in answer:
        raise Refused(answer["error"], rule=answer["rule"])
    return answer


def answered(order: Mapping[str, Any]) -> dict[str, Any]:
    """What the child answers. Raises Refused where file or mapping cannot be used."""
    wants = {"records": records, "fields": fields, "proposal": proposal}
    return wants[order["want"]](order)


def records(order: Mapping[str, Any]) -> dict[str, Any]:
    """The first records and the last run's rejects, as the present mapping and `after` answer them, and both counts.

    `{"records": [{"place", "locator", "raw", "before", "after", "changed": {field: [old, new]}}], "counts": {"before",
    "after"}, "looked_at", "rejects": [of so many, looked at]}`; `before` is None where nothing is pinned yet.
    """
    rejects = {place for place in order["rejects"] if place <= LOOKED_AT or order.get("everything")}
    wanted = {*range(1, FIRST + 1), *rejects}
    last = max(wanted)
    after = _looked(order, order["after"], wanted, last)
    before = _looked(order, order["document"], wanted, last) if order.get("document") else {}
    rows = []
    for place in sorted(after):
        now, was = after[place], before.get(place)
        rows.append(
            {
                "place": place, "locator": now["locator"], "raw": now.pop("raw"), "reject": place in rejects,
                "before": {k: v for k, v in was.items() if k != "raw"} if was else None, "after": now,
                "changed": _changed(was["offer"], now["offer"]) if was else {},
            }
        )  # fmt: skip
    if len(rows) > SHOWN:
        same = [
            not row["changed"] and (row["before"] or {}).get("verdict") == row["after"]["verdict"]
            for row in rows
        ]
        kept = sorted(range(len(rows)), key=lambda number: (same[number], number))[:SHOWN]
        shown = [rows[number] for number in sorted(kept)]
    else:
        shown = rows
    return {
        "records": shown, "looked_at": len(rows), "rejects": [len(order["rejects"]), len(rejects)],
        "counts": {"before": _counted(before.values()), "after": _counted(after.values())},
    }  # fmt: skip


def fields(order: Mapping[str, Any]) -> dict[str, Any]:
    """Of each field of the document some values as received and as they become; of each column some values.

    `{"fields": {name: [[received, value], …]}, "columns": {name: [values]}}`
    """
    from pipelines.feeds.samples import samples_of

    return samples_of(_settled(order, order.get("after") or order["document"]))


def proposal(order: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping that the hub proposes for the file, with what it is not sure of and the candidates for that.

    `{"document", "unsure": [{"field", "from", "confidence", "candidates": [{"column", "score", "values"}]}], "unmapped": [columns]}`
    """
    from pipelines.feeds.samples import doubts

    found = _settled(order, None)
    return doubts(found)


def main() -> int:
    """Answers one order from standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    order = json.load(sys.stdin)
    try:
        answer = answered(order)
    except EntrepotError as error:
        sentence = str(error).replace(Path(order["file"]).name, order["name"])
        answer = {"error": sentence, "rule": getattr(error, "rule", "")}
    except MemoryError:
        answer = {"error": "The file needs more memory than a feed may take; split it.", "rule": "too_large"}
    sys.stdout.buffer.write(
        orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY, default=str)
    )
    return 0


def _settled(order: Mapping[str, Any], document: Mapping[str, Any] | None) -> Any:
    from pipelines.feeds.normalise import normalise

    mapping = {**document, "policy": order["policy"]} if document else {"policy": order["policy"]}
    return normalise(
        Path(order["file"]),
        name=order["name"],
        profile=order["profile"],
        mapping=mapping,
        currency=order["currency"],
    )


def _looked(
    order: Mapping[str, Any], document: Mapping[str, Any], wanted: set[int], last: int
) -> dict[int, dict[str, Any]]:
    """The wanted records by their place, as this document answers them."""
    found: dict[int, dict[str, Any]] = {}
    place = 0
    for batch in _settled(order, document).batches():
        offers = {one["locator"]: one for one in batch.drafts.to_dict("records")}
        names = ("locator", "verdict", "reasons", "notes", "message", "raw")
        for row in batch.answers[list(names)].itertuples(index=False):
            place += 1
            if place in wanted:
                told = dict(zip(names, row, strict=True))
                told["message"] = told["message"] if isinstance(told["message"], str) else None
                found[place] = {**told, "offer": _plain(offers.get(told["locator"], {}))}
        if place >= last:
            break
    return found


def _plain(offer: Mapping[Any, Any]) -> dict[str, Any]:
    """An offer's known fields."""
    hidden = ("locator", "content_hash", "key_origin")
    return {str(name): value for name, value in offer.items() if name not in hidden and _known(value)}


def _known(value: Any) -> bool:
    """A value that says something: not None, NaN, or an empty text, list or dict."""
    return value is not None and value not in ("", [], {}) and not (isinstance(value, float) and isnan(value))


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    return {name: [old.get(name), new.get(name)] for name in names}


def _counted(some: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts as a summary has them, over the records looked at."""
    rows = list(some)
    verdicts = Counter(row["verdict"] for row in rows)
    reasons = Counter(rule for row in rows for rule in row["reasons"])
    return {
        **{name: verdicts[name] for name in ("accepted", "rejected", "quarantined")}, "reasons": dict(reasons.most_common()),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
