"""The Admin GraphQL API over HTTP: who asks, what it costs, whether there is enough in the bucket, and the answer."""

import math
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    value_from_ast_untyped,
)

from sandbox.shopify import (
    bulk,
    facts,
    fulfilment,
    graph,
    oauth,
    ordering,
    orders,
    product_set,
    tokens,
    uploads,
    webhooks,
)
from sandbox.shopify.answers import Answer, Call, Fields
from sandbox.shopify.cost import MAX_OF_ONE, Cost
from sandbox.shopify.faults import STRANGER
from sandbox.shopify.site import VERSION, Site

ANSWERING = (
    bulk,
    facts,
    fulfilment,
    ordering,
    orders,
    product_set,
    uploads,
    webhooks,
)  # imported so that they register their fields
PATH = f"/admin/api/{VERSION}/graphql.json"
# What a shop answers that is frozen, fraudulent, locked or in maintenance (shopify.dev, "API response status and
# error codes").
CLOSED = {
    402: "This shop is unavailable",
    403: "[API] This action requires merchant approval for the shop.",
    423: "Locked",
    503: "Service Unavailable",
}
MOST_IN_A_LIST = 250
_LONG_LISTS = ("variants", "inventoryQuantities")  # they have limits of their own
_RATE_DOCUMENTS = "https://shopify.dev/api/usage/rate-limits"


def answer(site: Site, call: Call) -> Answer:
    """Anything below /admin."""
    if call.path == oauth.PAGE:
        return oauth.page(site, call)
    if call.path == oauth.EXCHANGE and call.method == "POST":
        return oauth.exchange(site, call)
    if call.path != PATH or call.method != "POST":
        return Answer(404, {"errors": "Not Found"})
    state = int(site.store.fact("state") or 200)
    if state in CLOSED:
        retry = {"Retry-After": "2.0"} if state == 503 else {}
        return Answer(state, {"errors": CLOSED[state]}, retry)
    if not tokens.opens(site, call.headers.get("x-shopify-access-token", "")):
        return Answer(401, {"errors": STRANGER})
    try:
        wish = call.wish
    except ValueError:
        return Answer(400, {"errors": {"query": "Required parameter missing or invalid"}})
    if not isinstance(wish.get("query"), str):
        return Answer(400, {"errors": {"query": "Required parameter missing or invalid"}})
    return Answer(200, _executed(site, wish), {"X-Shopify-API-Version": VERSION})


def root_fields(call: Call) -> list[str]:
    """The root fields a request asks for; none where it is not a document."""
    return [
        field.name.value
        for one in _operations(call)
        for field in one.selection_set.selections
        if isinstance(field, FieldNode)
    ]


def seconds(site: Site, call: Call) -> float:
    """How long a real shop would take to answer."""
    changes = any(one.operation is OperationType.MUTATION for one in _operations(call))
    return site.latency if changes else site.latency / 3


def _operations(call: Call) -> list[OperationDefinitionNode]:
    try:
        document, _ = graph.judged(str(call.wish.get("query")))
    except ValueError:
        return []
    rows = document.definitions if document else ()
    return [one for one in rows if isinstance(one, OperationDefinitionNode)]


def throttled(site: Site, requested: float) -> Fields:
    """The body of an answer to who asked too much too soon."""
    extensions = {"code": "THROTTLED", "documentation": _RATE_DOCUMENTS}
    errors = [{"message": "Throttled", "extensions": extensions}]
    return {"errors": errors, "extensions": {"cost": _cost(site, requested, None)}}


def _executed(site: Site, wish: Fields) -> Fields:
    document, errors = graph.judged(wish["query"])
    if errors or document is None:
        return {"errors": [_error(one) for one in errors]}
    variables = wish.get("variables") or {}
    too_long = _too_long(variables)
    if too_long:
        message = (
            f"The input array size of {too_long} is greater than the maximum allowed of {MOST_IN_A_LIST}."
        )
        return {"errors": [{"message": message, "extensions": {"code": "MAX_INPUT_SIZE_EXCEEDED"}}]}
    operation = _operation(document, wish.get("operationName"))
    if operation is None:
        return {"errors": [{"message": "An operation name is required"}]}
    cost = Cost(graph.schema(), operation, _fragments(document), _with_defaults(operation, variables))
    requested = cost.requested()
    if requested > MAX_OF_ONE:
        message = (
            f"Query cost is {requested}, which exceeds the single query max cost limit ({MAX_OF_ONE}). "
            f"See {_RATE_DOCUMENTS} for more information on how the cost of a query is calculated."
        )
        extensions = {
            "code": "MAX_COST_EXCEEDED",
            "cost": requested,
            "maxCost": MAX_OF_ONE,
            "documentation": _RATE_DOCUMENTS,
        }
        return {"errors": [{"message": message, "extensions": extensions}]}
    if not site.bucket.take(requested):
        return throttled(site, requested)
    result = graph.run(site, document, variables, wish.get("operationName"))
    actual = min(requested, cost.actual(result.data))
    site.bucket.give_back(requested - actual)
    body: Fields = {"data": result.data}
    if result.errors:
        body["errors"] = [_error(one) for one in result.errors]
    return {**body, "extensions": {"cost": _cost(site, requested, actual)}}


def _cost(site: Site, requested: float, actual: float | None) -> Fields:
    return {
        "requestedQueryCost": math.ceil(requested),
        "actualQueryCost": actual,
        "throttleStatus": site.bucket.status(),
    }


def _error(one: GraphQLError) -> Fields:
    found: Fields = dict(one.formatted)
    original = one.original_error
    if original is not None and not isinstance(original, GraphQLError):
        raise original  # a fault of the sandbox itself must not look like an answer
    return found


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    rows = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    named = [one for one in rows if name is None or (one.name and one.name.value == name)]
    return named[0] if len(named) == 1 else None


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    rows = (one for one in document.definitions if isinstance(one, FragmentDefinitionNode))
    return {one.name.value: one for one in rows}


def _with_defaults(operation: OperationDefinitionNode, variables: Fields) -> Fields:
    rows = operation.variable_definitions or ()
    found = {
        one.variable.name.value: value_from_ast_untyped(one.default_value)
        for one in rows
        if one.default_value
    }
    return {**found, **variables}


def _too_long(value: Any, name: str = "") -> int:
    """The size of the first list beyond what an input may hold; 0 where there is none."""
    if isinstance(value, dict):
        return next((size for key, one in value.items() if (size := _too_long(one, key))), 0)
    if isinstance(value, list):
        if len(value) > MOST_IN_A_LIST and name not in _LONG_LISTS:
            return len(value)
        return next((size for one in value if (size := _too_long(one))), 0)
    return 0
