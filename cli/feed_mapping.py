"""`entrepot feed mapping`: how a feed's files are read, its versions, what the hub would propose, and what a change would do."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import GREATEST, AsJson, hub, show, write
from core.database import UnitOfWork
from core.errors import Refused
from core.settings import load
from models.suppliers import Feed, FeedMapping, find_feed

app = typer.Typer(
    no_args_is_help=True, help="Mappings: which of a file's columns is which field, in versions."
)

FeedName = Annotated[str, typer.Argument(help="The feed's name or number.")]
MappingFile = Annotated[
    Path,
    typer.Option(
        "--mapping", help="YAML or JSON: a whole document, or sections that replace the present ones."
    ),
]
Version = Annotated[
    int | None, typer.Option(min=1, max=GREATEST, help="This version, instead of the present one.")
]
Note = Annotated[str, typer.Option(help="Why, in a few words; it stands beside the version.")]
Base = Annotated[
    int | None,
    typer.Option(
        min=0, max=GREATEST, help="Only where this is still the present version (0: there is none yet)."
    ),
]
OPERATOR = "operator"


@app.command("show")
def show_mapping(feed: FeedName, version: Version = None, as_json: AsJson = False) -> None:
    """Each field with its columns and operations, and the columns that nothing is read from."""
    from pipelines.feeds.mappings import columns_left

    with hub() as db, db.unit_of_work() as uow:
        found = find_feed(uow.session, feed)
        told, document = _version(uow, found, version)
        answer = {**told, "columns_left": columns_left(document)}
    if as_json:
        show({**answer, "document": document}, True)
    else:
        show({**answer, "fields": _fields(document), "rules": _rules(document)}, False)


@app.command("export")
def export(
    feed: FeedName,
    version: Version = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the YAML.")] = None,
    as_json: AsJson = False,
) -> None:
    """The whole document as YAML, to edit and to give back with `set`."""
    from pipelines.feeds.mappings import as_yaml

    with hub() as db, db.unit_of_work() as uow:
        told, document = _version(uow, find_feed(uow.session, feed), version)
    text = as_yaml(document)
    written = write(out, text.encode()) if out is not None else None
    if as_json:
        show({**told, "document": document, "file": written}, as_json)
    elif written is None:
        sys.stdout.write(text)


@app.command("set")
def set_mapping(
    feed: FeedName, mapping: MappingFile, note: Note = "", base: Base = None, as_json: AsJson = False
) -> None:
    """Makes a new version; the next run is read by it. The same content again makes none."""
    from pipelines.feeds.mappings import differences, store_mapping

    given = read_document(mapping)
    with hub() as db, db.unit_of_work() as uow:
        found = find_feed(uow.session, feed)
        before = found.document
        stored = store_mapping(uow, found.id, given, author=OPERATOR, note=note, base=base)
        answer = {
            "feed": found.id, "version": stored.mapping_version, "differences": differences(before, stored.document),
        }  # fmt: skip
    show(answer if as_json else _in_words(answer), as_json)


@app.command("versions")
def list_versions(feed: FeedName, as_json: AsJson = False) -> None:
    """The last 50 versions, the newest first: who made them, when and why."""
    from pipelines.feeds.mappings import versions

    with hub() as db, db.unit_of_work() as uow:
        found = find_feed(uow.session, feed)
        rows = [
            {"version": one.version, "author": one.author, "note": one.note, "created_at": one.created_at, "present": one.version == found.mapping_version}
            for one in versions(uow.session, found.id)
        ]  # fmt: skip
    show({"feed": found.id, "versions": rows}, as_json)


@app.command("diff")
def diff(
    feed: FeedName,
    old: Annotated[
        int | None,
        typer.Argument(min=1, max=GREATEST, help="A version; without it the one before the present one."),
    ] = None,
    new: Annotated[
        int | None, typer.Argument(min=1, max=GREATEST, help="Another; without it the present one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What two versions say otherwise, place by place."""
    from models.mappings import one_version
    from pipelines.feeds.mappings import differences

    with hub() as db, db.unit_of_work() as uow:
        found = find_feed(uow.session, feed)
        second = one_version(uow.session, found, new or found.mapping_version or 1)
        first = one_version(uow.session, found, old or max(second.version - 1, 1))
        answer = {
            "feed": found.id, "old": first.version, "new": second.version,
            "differences": differences(first.document, second.document),
        }  # fmt: skip
    show(answer if as_json else _in_words(answer), as_json)


@app.command("back")
def back(
    feed: FeedName,
    version: Annotated[
        int, typer.Argument(min=1, max=GREATEST, help="The version whose content is to count again.")
    ],
    base: Base = None,
    as_json: AsJson = False,
) -> None:
    """Goes back: a new version with an old one's content."""
    from pipelines.feeds.mappings import go_back

    with hub() as db, db.unit_of_work() as uow:
        stored = go_back(uow, find_feed(uow.session, feed).id, version, author=OPERATOR, base=base)
        answer = {"feed": stored.id, "version": stored.mapping_version, "content_of": version}
    show(answer, as_json)


@app.command("propose")
def propose(
    feed: FeedName,
    out: Annotated[Path | None, typer.Option(help="Where to write the proposal as YAML.")] = None,
    as_json: AsJson = False,
) -> None:
    """What the hub would propose for the feed's last file, and what it is not sure of; nothing is stored."""
    from pipelines.feeds.mappings import as_yaml
    from pipelines.feeds.preview import ask, order_for

    with hub() as db, db.unit_of_work() as uow:
        order = order_for(uow, load(), find_feed(uow.session, feed).id)
    answer = ask(order, "proposal")
    if out is not None:
        write(
            out,
            as_yaml({name: part for name, part in answer["document"].items() if name != "policy"}).encode(),
        )
    if as_json:
        show(answer, True)
    else:
        questions = [
            {
                "field": one["field"],
                "read from": one["from"] or "nothing",
                "could be": _likely(one["candidates"]),
            }
            for one in answer["unsure"]
        ]
        show(
            {"fields": _fields(answer["document"]), "questions": questions, "unmapped": answer["unmapped"]},
            False,
        )


@app.command("preview")
def preview(
    feed: FeedName,
    mapping: MappingFile,
    everything: Annotated[
        bool, typer.Option("--all", help="All rejects, also those beyond the first 20,000 records.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What a mapping would make of the last file's first 50 records and of its rejects; nothing is stored."""
    from pipelines.feeds.mappings import whole
    from pipelines.feeds.preview import ask, order_for

    given = read_document(mapping)
    with hub() as db, db.unit_of_work() as uow:
        found = find_feed(uow.session, feed)
        order = order_for(uow, load(), found.id)
        document = whole(found, given)
    answer = ask(order, "records", after=document, everything=everything)
    if as_json:
        show(answer, True)
        return
    rows = [
        {
            "place": one["locator"], "was": one["before"]["verdict"] if one["before"] else "", "would be": one["after"]["verdict"],
            "changes": _moves(one["changed"]) or one["after"]["message"] or "",
        }
        for one in answer["records"] if one["changed"] or not one["before"] or one["before"]["verdict"] != one["after"]["verdict"]
    ]  # fmt: skip
    show({"looked_at": answer["looked_at"], **answer["counts"], "differences": rows}, False)


def read_document(file: Path) -> dict[str, Any]:
    """A mapping from a YAML or JSON file. Raises Refused where it is not there, or no mapping."""
    from pipelines.feeds.mappings import from_text

    try:
        return from_text(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.", rule="no_file"
        ) from None


def _version(uow: UnitOfWork, feed: Feed, version: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """(who made it and when, the document). Raises Refused where there is none."""
    number = version or feed.mapping_version
    if number is None:
        raise Refused(
            f"{feed.name} has no mapping yet: the first run pins one; `entrepot feed mapping propose {feed.id}` shows it.",
            rule="not_found",
        )
    one = uow.session.get(FeedMapping, (feed.id, number))
    if one is None:
        raise Refused(f"The mapping of {feed.name} has no version {number}.", rule="not_found")
    told = {
        "feed": feed.id,
        "version": one.version,
        "author": one.author,
        "note": one.note,
        "created_at": one.created_at,
    }
    return told, one.document


def _fields(document: Mapping[str, Any]) -> list[dict[str, str]]:
    from pipelines.feeds.mapping.drift import columns_named
    from pipelines.feeds.mappings import ordered, words_of

    return [
        {
            "field": name, "from": ", ".join(columns_named(spec)) or "(constant)",
            "operations": "; ".join(map(words_of, spec.get("operations", []))),
            "sure": f"{spec['confidence'] * 100:.0f} %" if "confidence" in spec else "",
        }
        for name, spec in ordered(document)["fields"].items() if spec
    ]  # fmt: skip


def _in_words(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer with rules told as a person says them."""
    from pipelines.feeds.mappings import rule_words

    def told(value: Any) -> Any:
        return ": ".join(rule_words(value)) if isinstance(value, Mapping) and "then" in value else value

    rows = [{**one, "old": told(one["old"]), "new": told(one["new"])} for one in answer["differences"]]
    return {**answer, "differences": rows}


def _rules(document: Mapping[str, Any]) -> list[dict[str, str]]:
    from pipelines.feeds.mappings import rule_words

    pairs = map(rule_words, document.get("rules", []))
    return [{"if": when, "then": then} for when, then in pairs]


def _likely(candidates: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{one['column']} ({one['score'] * 100:.0f} %: {', '.join(one['values'][:2])})" for one in candidates
    )


def _moves(changed: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name}: {'nothing' if old is None else old} → {'nothing' if new is None else new}"
        for name, (old, new) in changed.items()
    )
