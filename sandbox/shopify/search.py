"""The search syntax of `query:` arguments, as far as a hub needs it: terms, quotes, AND, OR and brackets.

Source: shopify.dev, "Shopify API search syntax". A field the sandbox does not know is refused, where a real shop
would silently ignore it: a client must not rely on that.
"""

import datetime
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLError

from sandbox.shopify.answers import Fields, not_simulated

Match = Callable[[Fields], bool]
_TOKEN = re.compile(
    r"""\s*(?:(\()|(\))|([\w.]+):(>=|<=|>|<)?(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s()]+))|(\S+))"""
)
_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "": operator.eq}


def matcher(query: str | None, fields: Mapping[str, Callable[[Fields], Any]]) -> Match:
    """Whether a document is found. `fields` gives what a name compares with: an int is a moment or an id, a list
    of texts is found by any, a bool by true or false."""
    if not (query or "").strip():
        return lambda _: True
    tokens = [found for found in _TOKEN.finditer(query or "") if found[0].strip()]
    match, at = _either(tokens, 0, fields)
    if at != len(tokens):
        raise not_simulated(f"the search {query!r}")
    return match


def changed_since(query: str | None) -> float:
    """The moment that everything found changed at or after; 0 where the search does not say so."""
    text = query or ""
    found = re.search(r"""updated_at:>=?(?:"([^"]+)"|'([^']+)'|([^\s()'"]+))""", text)
    if found is None or re.search(r"\bOR\b", text):
        return 0
    return _moment(found[1] or found[2] or found[3])


def _either(
    tokens: list[re.Match[str]], at: int, fields: Mapping[str, Callable[[Fields], Any]]
) -> tuple[Match, int]:
    first, at = _every(tokens, at, fields)
    found = [first]
    while at < len(tokens) and tokens[at][8] == "OR":
        other, at = _every(tokens, at + 1, fields)
        found.append(other)
    return (lambda doc: any(one(doc) for one in found)), at


def _every(
    tokens: list[re.Match[str]], at: int, fields: Mapping[str, Callable[[Fields], Any]]
) -> tuple[Match, int]:
    found: list[Match] = []
    while at < len(tokens) and not tokens[at][2] and tokens[at][8] != "OR":
        token = tokens[at]
        if token[8] == "AND":
            at += 1
        elif token[1]:
            inner, at = _either(tokens, at + 1, fields)
            if at >= len(tokens) or not tokens[at][2]:
                raise not_simulated("a search with an open bracket")
            found.append(inner)
            at += 1
        elif token[3]:
            found.append(_term(token, fields))
            at += 1
        else:
            raise not_simulated(f"a search for the bare word {token[8]!r}")
    return (lambda doc: all(one(doc) for one in found)), at


def _term(token: re.Match[str], fields: Mapping[str, Callable[[Fields], Any]]) -> Match:
    name, sign = token[3], token[4] or ""
    quoted = token[5] if token[5] is not None else token[6]
    value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token[7]
    if name not in fields:
        raise not_simulated(f"a search by {name}")
    of = fields[name]
    if name.endswith("_at"):
        moment = _moment(value)
        return lambda doc: bool(_COMPARE[sign](of(doc), moment))
    if name == "id":
        return lambda doc: bool(_COMPARE[sign](of(doc), int(value.rsplit("/", 1)[-1])))
    if sign:
        raise not_simulated(f"a comparison by {name}")
    # Without quotes a comma means "or": status:active,draft.
    wanted = [value.casefold()] if quoted is not None else value.casefold().split(",")

    def match(doc: Fields) -> bool:
        held = of(doc)
        if isinstance(held, bool):
            return held == (wanted == ["true"])
        every = [
            str(one).casefold() for one in (held if isinstance(held, list) else [held]) if one is not None
        ]
        if quoted is None and any(one.endswith("*") for one in wanted):
            return any(one.startswith(start.removesuffix("*")) for one in every for start in wanted)
        return any(one in every for one in wanted)

    return match


def _moment(text: str) -> float:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise GraphQLError(
            f"Invalid timestamp {text!r} in query.", extensions={"code": "BAD_REQUEST"}
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()
