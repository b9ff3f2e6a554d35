"""The real schema, what answers each of its fields, and the execution of one document."""

import functools
import gzip
import json
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_client_schema,
    execute_sync,
    get_directive_values,
    get_named_type,
    is_list_type,
    is_non_null_type,
    parse,
    validate,
    visit,
)

from sandbox.shopify.answers import Fields, UserError, not_simulated
from sandbox.shopify.site import Site, gid, time_text

SCHEMA_FILE = Path(__file__).parent / "schema" / "admin_2026-10.stripped.json.gz"
Resolver = Callable[[Site, Any, Fields], Any]
_RESOLVERS: dict[tuple[str, str], Resolver] = {}
_SCOPES: dict[tuple[str, str], str] = {}
_KEYED: set[str] = set()
_BURNT = "A previous request with this idempotency key failed. Retry with a new idempotency key."
_OTHER = "The same idempotency key cannot be used with different operation parameters."


@functools.cache
def schema() -> GraphQLSchema:
    """Built once a process; takes about half a second."""
    found = json.loads(gzip.decompress(SCHEMA_FILE.read_bytes()))
    # Shopify's own schema deprecates fields that its interfaces do not; graphql-core would refuse it for that.
    return build_client_schema(found.get("data", found), assume_valid=True)


@functools.lru_cache(maxsize=512)
def judged(text: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
    """The document, and what the schema has against it."""
    try:
        document = parse(text)
    except GraphQLError as error:
        return None, [error]
    return document, validate(schema(), document)


_BUYERS = {("Order", name) for name in ("email", "phone", "shippingAddress", "billingAddress", "customer")}
"""What an app is told only where Shopify approved it for protected customer data, whatever its scopes."""


def connections(document: DocumentNode) -> int:
    """How many of a document's fields are lists that are paged."""
    kinds, found = TypeInfo(schema()), 0

    class Counted(Visitor):
        def enter_field(self, *_: Any) -> None:
            nonlocal found
            kind = kinds.get_type()
            found += kind is not None and get_named_type(kind).name.endswith("Connection")

    visit(document, TypeInfoVisitor(kinds, Counted()))
    return found


def field(*places: str, scope: str = "") -> Callable[[Resolver], Resolver]:
    """Registers what answers `Type.field`; `scope` is what the token must be allowed."""

    def register(resolver: Resolver) -> Resolver:
        for place in places:
            kind, _, name = place.partition(".")
            _RESOLVERS[kind, name] = resolver
            if scope:
                _SCOPES[kind, name] = scope
        return resolver

    return register


def mutation(name: str, *, scope: str, keyed: bool = False) -> Callable[[Resolver], Resolver]:
    """Registers a mutation; a `keyed` one demands @idempotent(key:) when it runs, as Shopify does since 2026-04."""
    if keyed:
        _KEYED.add(name)
    return field(f"Mutation.{name}", scope=scope)


def run(site: Site, document: DocumentNode, variables: Fields, operation: str | None) -> ExecutionResult:
    """Executes under the shop's lock: nobody sees half of another's work."""
    with site.lock:
        return execute_sync(
            schema(),
            document,
            root_value={},
            context_value=site,
            variable_values=variables,
            operation_name=operation,
            field_resolver=_resolve,
            type_resolver=lambda value, _info, _kind: value["__typename"],
        )


def _resolve(source: Any, info: GraphQLResolveInfo[Site], **arguments: Any) -> Any:
    site: Site = info.context
    place = (info.parent_type.name, info.field_name)
    _demand(site, place)
    resolver = _RESOLVERS.get(place)
    if place[0] == "Mutation":
        if resolver is None:
            raise not_simulated(f"the mutation {info.field_name}")
        return _changed(site, resolver, info, arguments)
    if resolver is not None:
        value = resolver(site, source, arguments)
    elif isinstance(source, dict) and info.field_name in source:
        value = source[info.field_name]
    elif place[0].endswith("Payload"):
        value = [] if info.field_name == "userErrors" else None
    else:
        raise not_simulated(".".join(place))
    shown = source.get("presentment") if isinstance(source, dict) else None
    if shown:
        _hand_down(shown, value)
    return _shaped(site, info, value, shown)


def _hand_down(shown: Fields, value: Any) -> None:
    """What the buyer of an order saw holds for everything below the order."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            one.setdefault("presentment", shown)


def _demand(site: Site, place: tuple[str, str]) -> None:
    if place in _BUYERS and site.fact("customer data") == "no":
        page = "https://shopify.dev/docs/apps/launch/protected-customer-data"
        raise GraphQLError(
            f"This app is not approved to use the {place[1]} field. See {page} for more details.",
            extensions={"code": "ACCESS_DENIED", "documentation": page},
        )
    scope = _SCOPES.get(place)
    if scope is None:
        return
    wider = scope.replace("read_", "write_", 1)
    if scope not in site.scopes and wider not in site.scopes:
        raise GraphQLError(
            f"Access denied for {place[1]} field. Required access: `{scope}` access scope.",
            extensions={
                "code": "ACCESS_DENIED",
                "documentation": "https://shopify.dev/api/usage/access-scopes",
                "requiredAccess": f"`{scope}` access scope.",
            },
        )


def _changed(site: Site, resolver: Resolver, info: GraphQLResolveInfo[Site], arguments: Fields) -> Any:
    """A mutation's payload: all of it or, with userErrors, nothing of it. A key is remembered with what it did."""
    key = None
    if info.field_name in _KEYED:
        directive = schema().get_directive("idempotent")
        assert directive is not None
        given = get_directive_values(directive, info.field_nodes[0], info.variable_values)
        key = (given or {}).get("key")
        if not key:
            raise GraphQLError(
                "The @idempotent directive is required for this mutation but was not provided.",
                extensions={"code": "BAD_REQUEST"},
            )
        same = json.dumps([info.field_name, arguments], sort_keys=True)
        for earlier in site.all("Key", "slug = ?", key):
            if earlier["same"] != same:
                return _refused(UserError(_OTHER, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"))
            if earlier["payload"] is None:
                return _refused(UserError(_BURNT, "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"))
            return earlier["payload"]
    payload: Any = None
    try:
        with site.store.work():
            payload = resolver(site, {}, arguments)
            if key:
                site.put("Key", {"id": site.number("Key"), "slug": key, "same": same, "payload": payload})
    except UserError as error:
        if key:
            with site.store.work():
                site.put("Key", {"id": site.number("Key"), "slug": key, "same": same, "payload": None})
        return _refused(error)
    return payload


def _refused(error: UserError) -> Fields:
    return {"userErrors": error.rows()}


def _shaped(site: Site, info: GraphQLResolveInfo[Site], value: Any, shown: Fields | None) -> Any:
    """Numbers and texts as the field's type wants them: ids, times and money."""
    kind = get_named_type(info.return_type).name
    if isinstance(value, list) or value is None:
        return [] if value is None and _must_list(info.return_type) else value
    if kind == "ID" and isinstance(value, int):
        return gid(info.parent_type.name, value)
    if kind == "DateTime" and isinstance(value, int):
        return time_text(value)
    if kind == "UnsignedInt64":
        return str(value)
    if kind == "MoneyBag" and isinstance(value, str):
        money = {"amount": value, "currencyCode": site.currency}
        return {"shopMoney": money, "presentmentMoney": presented(value, shown) if shown else money}
    if kind == "MoneyV2" and isinstance(value, str):
        return {"amount": value, "currencyCode": site.currency}
    return value


def presented(amount: str, shown: Fields) -> Fields:
    """An amount of the shop's as its buyer saw it."""
    seen = (Decimal(amount) * Decimal(str(shown["rate"]))).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return {"amount": str(seen), "currencyCode": shown["currency"]}


def _must_list(kind: Any) -> bool:
    return is_non_null_type(kind) and is_list_type(kind.of_type)
