"""Versions of a feed's mapping as people work with them: stored, compared, gone back to, told field by field."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import UnitOfWork
from core.errors import Refused, there_is
from core.tables import AuditRecord
from models.mappings import add_version, one_version, without_policy
from models.suppliers import Feed, FeedMapping
from pipelines.feeds.mapping.checking import check, operations, schema
from pipelines.feeds.mapping.document import merged
from pipelines.feeds.mapping.drift import columns_read


def store_mapping(
    uow: UnitOfWork,
    feed_id: int,
    given: Mapping[str, Any],
    *,
    author: str,
    note: str = "",
    base: int | None = None,
) -> Feed:
    """Adds a version: `given` is a whole document, or sections that replace the present one's. The same content adds none.

    `base` is the version that whoever changed it saw. Raises Refused: "wrong_state" where another one counts by now,
    "mapping_invalid" with the place where the document is not usable.
    """
    feed = there_is(uow.session.get(Feed, feed_id, with_for_update={"key_share": True}), f"Feed {feed_id}")
    uow.session.refresh(feed)
    if base is not None and base != (feed.mapping_version or 0):
        raise Refused(
            f"The mapping of {feed.name} is at version {feed.mapping_version or 0} by now, not {base}: look at what changed, then repeat.",
            rule="wrong_state",
        )
    document = whole(feed, given)
    if document == feed.document:
        return feed
    number = add_version(uow.session, feed, document, author[:100], note.strip()[:1000])
    uow.session.add(
        AuditRecord(
            actor=author[:100], act="mapping changed", subject=f"feed:{feed.id}", facts={"version": number},
            words=f"The mapping of {feed.name} is at version {number}{': ' + note.strip() if note.strip() else ''}.",
        )
    )  # fmt: skip
    return feed


def whole(feed: Feed, given: Mapping[str, Any]) -> dict[str, Any]:
    """A whole document without policy: `given`, or what it says put into the feed's present one. Raises Refused."""
    policy = given.get("policy")
    if policy not in (None, {}, {"mode": "full"}, feed.policy):
        raise Refused(
            "The policy is not part of the mapping: it stays with the feed, `entrepot feed set` changes it.",
            rule="mapping_invalid",
        )
    plain = without_policy(dict(given)) or {}
    if "dialect" not in plain:
        if feed.document is None:
            raise Refused(
                f"{feed.name} has no mapping yet, so a whole document is needed: send a file first, or propose one from it.",
                rule="mapping_invalid",
            )
        plain = merged(feed.document, plain)
    check(plain)
    return plain


def go_back(uow: UnitOfWork, feed_id: int, version: int, *, author: str, base: int | None = None) -> Feed:
    """A new version with the content of an old one."""
    feed = there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
    old = one_version(uow.session, feed, version)
    return store_mapping(
        uow, feed_id, old.document, author=author, note=f"Back to version {version}.", base=base
    )


def versions(session: Session, feed_id: int, limit: int = 50) -> list[FeedMapping]:
    """The newest versions first."""
    return list(
        session.scalars(
            select(FeedMapping)
            .where(FeedMapping.feed_id == feed_id)
            .order_by(FeedMapping.version.desc())
            .limit(limit)
        )
    )


def differences(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """What one document says otherwise than another: [{"place": "fields.title.from", "old": …, "new": …}]."""
    return list(_differences(old or {}, new or {}, ""))


def columns_left(document: Mapping[str, Any]) -> list[str]:
    """The file's columns that nothing is read from, in the file's order."""
    read = columns_read(document)
    return [name for name in document["dialect"].get("header") or [] if name not in read]


def words_of(operation: Any) -> str:
    """An operation as a chip: "trim", "unit: to g, of kg"."""
    if isinstance(operation, str):
        return operation
    name, argument = next(iter(operation.items()))
    if argument in (None, {}, ""):
        return str(name)
    return f"{name}: {_short(argument)}"


def title_of(operation: Any) -> str:
    """What the schema says of an operation."""
    name = operation if isinstance(operation, str) else next(iter(operation))
    told = operations().get(name, {})
    return f"{told.get('title', name)}. {told.get('description', '')}".strip()


def ordered(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document in the schema's order, which JSON in the database does not keep."""
    sections = list(schema()["properties"])
    place = {name: number for number, name in enumerate(schema()["properties"]["fields"]["properties"])}
    whole = {name: document[name] for name in sections if name in document}
    whole |= {name: value for name, value in document.items() if name not in whole}
    if isinstance(whole.get("fields"), Mapping):
        whole["fields"] = dict(
            sorted(whole["fields"].items(), key=lambda field: place.get(field[0], len(place)))
        )
    return whole


def rule_words(rule: Mapping[str, Any]) -> tuple[str, str]:
    """A rule in words: ("Status is Auslauf, alt", "skip: phased out")."""
    then = rule["then"]
    said = [
        one if isinstance(one, str) else _short(one) for one in (then if isinstance(then, list) else [then])
    ]
    return _condition_words(rule.get("when", {})) or "always", "; ".join(said)


def as_yaml(document: Mapping[str, Any]) -> str:
    """The document, or a part of it, as a person reads and edits it."""
    arranged = {name: _arranged(part) for name, part in ordered(document).items()}
    if isinstance(document.get("fields"), Mapping):
        arranged["fields"] = {name: _arranged(spec) for name, spec in ordered(document)["fields"].items()}
    return yaml.safe_dump(arranged, allow_unicode=True, sort_keys=False, width=110, default_flow_style=None)


def from_text(text: str) -> dict[str, Any]:
    """YAML or JSON -> a document or a part of one. Raises Refused with the line where it is neither."""
    if len(text) > 1_000_000:
        raise Refused("A mapping has at most 1 MB.", rule="mapping_invalid")
    try:
        found = yaml.load(text, Loader=_Plain)  # noqa: S506 - a SafeLoader with less, not more
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise Refused(
            f"This is no YAML: {where}{getattr(error, 'problem', None) or error}.", rule="mapping_invalid"
        ) from None
    except RecursionError:
        raise Refused("This is no mapping: it is nested too deeply.", rule="mapping_invalid") from None
    if not isinstance(found, dict):
        raise Refused(
            "A mapping is names with values, like `fields: …`; this is something else.",
            rule="mapping_invalid",
        )
    return found


_WRITTEN = (
    "name when then all any column field is not has matches below above blank skip reject quarantine set times plus minus"
    " at_least at_most round to way ending of assume find with format encoding delimiter quoteChar escapeChar headerRow"
    " header recordPath sheet member missingValues from pairs operations confidence value template window where"
)
_ORDER = {name: place for place, name in enumerate(_WRITTEN.split())}


def _arranged(value: Any) -> Any:
    """The same with the names inside in the order a person writes them."""
    if isinstance(value, Mapping):
        names = sorted(value, key=lambda name: _ORDER.get(name, len(_ORDER)))
        return {name: _arranged(value[name]) for name in names}
    return [_arranged(one) for one in value] if isinstance(value, list) else value


class _Plain(yaml.SafeLoader):
    """YAML without references (a few bytes could stand for gigabytes) and without dates: 2026-11-27 is text."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """One node; a reference to another one is refused."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, "references (&name, *name) are not allowed", self.get_mark()
            )
        return super().compose_node(parent, index)


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _differences(old: Any, new: Any, place: str) -> Iterator[dict[str, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(name), new.get(name), f"{place}.{name}" if place else str(name))
    elif _rows(old) and _rows(new) and (old or new):
        for number in range(max(len(old or ()), len(new or ()))):
            one, two = (many[number] if many and number < len(many) else None for many in (old, new))
            if one != two:
                yield {"place": f"{place}[{number}]", "old": one, "new": two}
    elif old != new:
        yield {"place": place, "old": old, "new": new}


def _condition_words(when: Mapping[str, Any]) -> str:
    for several, between in (("all", " and "), ("any", " or ")):
        if several in when:
            return between.join(
                f"({words})" if {"all", "any"} & one.keys() else words
                for one in when[several] if (words := _condition_words(one))
            )  # fmt: skip
    if not when:
        return ""
    test = next(name for name in when if name not in ("column", "field"))
    name = when.get("column") or when["field"].replace("_", " ")
    if test == "blank":
        return f"{name} is {'blank' if when['blank'] else 'not blank'}"
    wanted = when[test] if isinstance(when[test], list) else [when[test]]
    verb = {"not": "is not", "below": "is below", "above": "is above"}.get(test, test)
    return f"{name} {verb} {', '.join(map(str, wanted))}"


def _rows(value: Any) -> bool:
    """A list of rules or the like, or none yet."""
    return value is None or (isinstance(value, list) and all(isinstance(one, Mapping) for one in value))


def _short(argument: Any) -> str:
    if isinstance(argument, Mapping):
        return ", ".join(
            f"{name} {_short(value)}" for name, value in _arranged(argument).items() if value != ""
        )
    if isinstance(argument, list):
        return " ".join(map(_short, argument))
    return str(argument).lower() if isinstance(argument, bool) else str(argument)
