"""A feed's mapping: what is read from which column, an editor that shows what a change would do, versions, the proposal."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from core.database import Database
from core.errors import EntrepotError, Refused, there_is
from models.mappings import one_version
from models.suppliers import Feed
from pipelines.feeds.mapping.candidates import UNSURE, lacking
from pipelines.feeds.mappings import (
    as_yaml,
    columns_left,
    differences,
    from_text,
    go_back,
    ordered,
    rule_words,
    store_mapping,
    versions,
    whole,
)
from pipelines.feeds.preview import ask, order_for
from web.deps import CheckedForm, Db, Session, go, page, settings_of
from web.mapping_fields import FIELDS, OPERATIONS, FieldForm, field_rows, told
from web.queries.feeds import one_feed

router = APIRouter(prefix="/feeds/{feed_id}/mapping")
AUTHOR = "operator"
PARTS = {"rules": "Rules", "document": "The whole document"}
"""What is edited as YAML, and what it is called."""
_KEPT = 16
_samples: OrderedDict[str, dict[str, Any]] = OrderedDict()
"""The last samples, by file and document: the page is looked at more often than either changes."""


@router.get("")
def show(request: Request, db: Db, session: Session, feed_id: int) -> Response:
    """Each field with its columns, operations and some values; rules; columns left; versions."""
    with db.unit_of_work() as uow:
        found = there_is(one_feed(uow.session, feed_id), f"Feed {feed_id}")
        feed: Feed = found["Feed"]
        history = versions(uow.session, feed_id)
    document = feed.document
    samples, problem = sampled(request, db, feed_id) if document else ({}, None)
    return page(
        request, "mapping.html", title=f"Mapping of {feed.name}", found=found, feed=feed, document=document, history=history,
        fields=field_rows(document, samples) if document else [], unsure=UNSURE, lacking=lacking(document, feed.policy.get("mode")) if document else [], left=columns_left(document) if document else [],
        values=samples.get("columns", {}), problem=problem, rules=[rule_words(one) for one in (document or {}).get("rules", [])],
        unmapped=[name for name in FIELDS if name not in (document or {}).get("fields", {})], told=told,
    )  # fmt: skip


@router.get("/add")
def add_field(session: Session, feed_id: int, field: str = "") -> Response:
    """From the list of fields to the editor of one that nothing is read into yet."""
    return go(f"/feeds/{feed_id}/mapping/fields/{_known(field)}")


@router.get("/fields/{field}")
def edit_field(
    request: Request, db: Db, session: Session, feed_id: int, field: str, column: str = ""
) -> Response:
    """The editor of one field; `column` is a first choice where nothing is read into it yet."""
    document = _document(db, feed_id)
    form = FieldForm.of(_known(field), document, column)
    return _field_page(request, db, feed_id, form, document)


@router.post("/fields/{field}")
async def change_field(request: Request, db: Db, session: Session, feed_id: int, field: str) -> Response:
    """Looks at a field's change, adds an operation to it, or saves it as a new version."""
    from fastapi.concurrency import run_in_threadpool

    from web.deps import check_token

    async with request.form(max_fields=40) as sent:
        values = {name: str(value) for name, value in sent.items()}
    check_token(session, values.get("csrf", ""))
    return await run_in_threadpool(_change_field, request, db, feed_id, _known(field), values)


@router.get("/edit")
def edit_text(request: Request, db: Db, session: Session, feed_id: int, part: str = "rules") -> Response:
    """The editor of the rules, or of the whole document, as YAML."""
    document = _document(db, feed_id)
    text = as_yaml(document) if part == "document" else as_yaml({"rules": document.get("rules", [])})
    return _text_page(request, db, feed_id, part, text, base=_version(db, feed_id))


@router.post("/edit")
def change_text(
    request: Request, db: Db, session: CheckedForm, feed_id: int, part: Annotated[str, Form()] = "rules",
    text: Annotated[str, Form()] = "", base: Annotated[int, Form()] = 0, note: Annotated[str, Form()] = "",
    act: Annotated[str, Form()] = "look",
) -> Response:  # fmt: skip
    """Looks at what the text would do, or saves it as a new version."""
    try:
        given = from_text(text)
        if act == "save":
            return _saved(db, feed_id, given, note, base)
        preview = _preview(request, db, feed_id, given)
    except Refused as error:
        return _text_page(
            request, db, feed_id, part, text, base=base, note=note, problem=str(error), status=422
        )
    return _text_page(request, db, feed_id, part, text, base=base, note=note, preview=preview)


@router.get("/versions/{version}")
def show_version(request: Request, db: Db, session: Session, feed_id: int, version: int) -> Response:
    """A version, what it says otherwise than the present one, and the way back to it."""
    with db.unit_of_work() as uow:
        found = there_is(one_feed(uow.session, feed_id), f"Feed {feed_id}")
        feed: Feed = found["Feed"]
        shown = one_version(uow.session, feed, version)
        before = one_version(uow.session, feed, version - 1) if version > 1 else None
    return page(
        request, "mapping_version.html", title=f"Version {version}", found=found, feed=feed, shown=shown, before=before,
        made=_readable(before.document, shown.document) if before else [],
        apart=_readable(shown.document, feed.document or {}) if version != feed.mapping_version else [], text=as_yaml(shown.document),
    )  # fmt: skip


@router.post("/versions/{version}/back")
def back(
    request: Request,
    db: Db,
    session: CheckedForm,
    feed_id: int,
    version: int,
    base: Annotated[int, Form()] = 0,
) -> Response:
    """Goes back to a version: a new one with its content."""
    with db.unit_of_work() as uow:
        go_back(uow, feed_id, version, author=AUTHOR, base=base or None)
    return go(f"/feeds/{feed_id}/mapping", "mapped_back")


@router.get("/proposal")
def show_proposal(request: Request, db: Db, session: Session, feed_id: int) -> Response:
    """What the hub would propose for the last file now, and what it asks about."""
    with db.unit_of_work() as uow:
        found = there_is(one_feed(uow.session, feed_id), f"Feed {feed_id}")
        order = order_for(uow, settings_of(request), feed_id)
    feed: Feed = found["Feed"]
    answer = ask(order, "proposal")
    proposed = {name: part for name, part in answer["document"].items() if name != "policy"}
    if kept := (feed.document or {}).get("rules"):
        proposed["rules"] = kept  # written by people: no file proposes them
    return page(
        request, "mapping_proposal.html", title="Proposal", found=found, feed=feed, answer=answer, about=FIELDS, told=told,
        fields=field_rows(proposed, {}), apart=_readable(feed.document or {}, proposed) if feed.document else [],
        base=feed.mapping_version or 0, text=as_yaml(proposed),
    )  # fmt: skip


@router.get(".yaml")
def export(request: Request, db: Db, session: Session, feed_id: int) -> Response:
    """The document as a file."""
    text = as_yaml(_document(db, feed_id))
    headers = {"Content-Disposition": f'attachment; filename="feed-{feed_id}-mapping.yaml"'}
    return Response(text, media_type="application/yaml", headers=headers)


def sampled(request: Request, db: Database, feed_id: int) -> tuple[dict[str, Any], str | None]:
    """Values of the feed's last file by its present mapping, or none and the sentence that says why."""
    try:
        with db.unit_of_work() as uow:
            order = order_for(uow, settings_of(request), feed_id)
        key = hashlib.sha256(
            orjson.dumps([order["sha256"], order["document"]], option=orjson.OPT_SORT_KEYS)
        ).hexdigest()
        if key not in _samples:
            _samples[key] = ask(order, "fields")
            while len(_samples) > _KEPT:
                _samples.popitem(last=False)
        return _samples[key], None
    except EntrepotError as error:
        return {}, str(error)


def _change_field(
    request: Request, db: Database, feed_id: int, field: str, values: Mapping[str, str]
) -> Response:
    document = _document(db, feed_id)
    form = FieldForm.sent(field, document, values)
    try:
        spec = form.spec()
        given = {"fields": {field: spec}}
        if values.get("act") == "save":
            return _saved(db, feed_id, given, values.get("note", ""), form.base)
        preview = _preview(request, db, feed_id, given)
    except Refused as error:
        form.problem = str(error)
        return _field_page(request, db, feed_id, form, document, status=422)
    return _field_page(request, db, feed_id, form, document, preview=preview)


def _field_page(
    request: Request, db: Database, feed_id: int, form: FieldForm, document: Mapping[str, Any], *,
    preview: dict[str, Any] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    samples, _ = sampled(request, db, feed_id)
    with db.unit_of_work() as uow:
        found = there_is(one_feed(uow.session, feed_id), f"Feed {feed_id}")
    form.base = form.base or found["Feed"].mapping_version or 0
    columns = list(dict.fromkeys([*(document["dialect"].get("header") or []), *samples.get("columns", {})]))
    return page(
        request, "mapping_field.html", status=status, title=told(form.field), found=found, feed=found["Feed"], form=form,
        columns=columns, values=samples.get("columns", {}), shown=samples.get("fields", {}).get(form.field, []),
        operations=OPERATIONS, about=FIELDS[form.field], preview=preview,
    )  # fmt: skip


def _text_page(
    request: Request, db: Database, feed_id: int, part: str, text: str, *, base: int, note: str = "",
    problem: str | None = None, preview: dict[str, Any] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    if part not in PARTS:
        raise Refused(f"There is no part {part!r} to edit; there are {', '.join(PARTS)}.", rule="not_found")
    with db.unit_of_work() as uow:
        found = there_is(one_feed(uow.session, feed_id), f"Feed {feed_id}")
    return page(
        request, "mapping_text.html", status=status, title=PARTS[part], found=found, feed=found["Feed"], part=part, text=text,
        base=base, note=note, problem=problem, preview=preview, operations=OPERATIONS,
    )  # fmt: skip


def _preview(request: Request, db: Database, feed_id: int, given: Mapping[str, Any]) -> dict[str, Any]:
    with db.unit_of_work() as uow:
        order = order_for(uow, settings_of(request), feed_id)
        document = whole(uow.session.get_one(Feed, feed_id), given)
    answer = ask(order, "records", after=document)
    apart = [one for one in answer["records"] if _differs(one)]
    return {**answer, "apart": apart, "same": len(answer["records"]) - len(apart)}


def _differs(record: Mapping[str, Any]) -> bool:
    """Whether a record is answered or filled otherwise than before."""
    before = record["before"]
    return bool(record["changed"]) or before is None or before["verdict"] != record["after"]["verdict"]


def _saved(db: Database, feed_id: int, given: Mapping[str, Any], note: str, base: int) -> Response:
    with db.unit_of_work() as uow:
        store_mapping(uow, feed_id, given, author=AUTHOR, note=note, base=base)
    return go(f"/feeds/{feed_id}/mapping", "mapped")


def _document(db: Database, feed_id: int) -> dict[str, Any]:
    """The feed's present document. Raises Refused where there is none yet."""
    with db.unit_of_work() as uow:
        feed = there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
    if feed.document is None or "fields" not in feed.document:
        raise Refused(
            f"{feed.name} has no mapping yet: send its first file, or look at the proposal.", rule="not_found"
        )
    return ordered(feed.document)


def _version(db: Database, feed_id: int) -> int:
    with db.unit_of_work() as uow:
        return uow.session.get_one(Feed, feed_id).mapping_version or 0


def _known(field: str) -> str:
    if field not in FIELDS:
        raise Refused(f"There is no field {field!r}.", rule="not_found")
    return field


def _readable(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Differences with their sides as short text."""
    return [
        {"place": one["place"], "old": _text(one["old"]), "new": _text(one["new"])}
        for one in differences(old, new)
    ]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping) and "then" in value:
        when, then = rule_words(value)
        return f"{when}: {then}" if when == "always" else f"if {when}: {then}"
    return value if isinstance(value, str) else as_line(value)


def as_line(value: Any) -> str:
    """A part of a document in one line of YAML."""
    import yaml

    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=100_000)
        .strip()
        .removesuffix("\n...")
    )
