"""What a document costs, by the formula fitted to Shopify's published annotations (shopify.md, "Rate")."""

import math
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
    value_from_ast_untyped,
)

from sandbox.shopify.answers import Fields

MAX_OF_ONE = 1000
MUTATION = 10.0
_FREE = ("MoneyBag", "MoneyV2", "PageInfo")
_VARIANT, _FILE, _METAFIELD, _VARIANT_FILE = 0.2, 1.9, 0.4, 0.6


class Cost:
    """The cost of one operation: before it runs (`requested`), and by what it found (`actual`)."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDefinitionNode],
        variables: Fields,
    ) -> None:
        self._schema, self._operation = schema, operation
        self._fragments, self._variables = fragments, variables

    def requested(self) -> int:
        return self._total(None)

    def actual(self, found: Any) -> int:
        """Connections are counted by the nodes that came, never by more than were asked for."""
        return self._total(found or {})

    def _total(self, found: Any) -> int:
        root = self._schema.get_root_type(self._operation.operation)
        assert root is not None
        if self._operation.operation is not OperationType.MUTATION:
            return math.ceil(self._selection(self._operation.selection_set, root, found))
        total = 0.0
        for name, field, kind in self._fields(self._operation.selection_set, root):
            payload = None if found is None else found.get(name)
            total += MUTATION + self._extra(field)
            for below, inner, inner_kind in self._fields(field.selection_set, kind):
                if inner.selection_set is not None:
                    value = None if payload is None else payload.get(below)
                    total += max(0.0, self._field(inner, inner_kind, value, found is None or bool(value)) - 1)
        return math.ceil(total)

    def _extra(self, field: FieldNode) -> float:
        """What productSet adds for what it carries."""
        if field.name.value != "productSet":
            return 0.0
        arguments = {
            one.name.value: value_from_ast_untyped(one.value, self._variables)
            for one in field.arguments or ()
        }
        given = arguments.get("input") or {}
        variants = given.get("variants") or []
        metafields = len(given.get("metafields") or [])
        metafields += sum(len(one.get("metafields") or []) for one in variants)
        return (
            _VARIANT * len(variants)
            + _FILE * len(given.get("files") or [])
            + _METAFIELD * metafields
            + _VARIANT_FILE * sum(1 for one in variants if one.get("file"))
        )

    def _selection(self, chosen: SelectionSetNode | None, kind: GraphQLNamedType, found: Any) -> float:
        total = 0.0
        for name, field, inner in self._fields(chosen, kind):
            value = found.get(name) if isinstance(found, dict) else None
            total += self._field(field, inner, value, found is None or bool(value))
        return total

    def _field(self, field: FieldNode, kind: GraphQLNamedType, value: Any, there: bool) -> float:
        if is_leaf_type(kind) or not there:
            return 0.0
        if kind.name.endswith("Connection"):
            return self._connection(field, kind, value)
        own = 0.0 if kind.name in _FREE else 1.0
        if field.name.value == "nodes" and field.arguments:
            ids = value_from_ast_untyped(field.arguments[0].value, self._variables) or []
            return len(ids) * (own + self._largest(field.selection_set, kind, value))
        return own + self._largest(field.selection_set, kind, value)

    def _connection(self, field: FieldNode, kind: GraphQLNamedType, value: Any) -> float:
        size = 0
        for one in field.arguments or ():
            if one.name.value in ("first", "last"):
                size = int(value_from_ast_untyped(one.value, self._variables) or 0)
        below = 0.0
        for name, inner, inner_kind in self._fields(field.selection_set, kind):
            rows = value.get(name) if isinstance(value, dict) else None
            if inner.name.value == "nodes":
                below = max(below, 1 + self._largest(inner.selection_set, inner_kind, rows))
            elif inner.name.value == "edges":
                edge = self._largest(inner.selection_set, inner_kind, rows)
                below = max(below, edge)
            if isinstance(rows, list):
                size = min(size, len(rows))
        return 2 + (max(1, math.floor(2 * math.log(size))) * below if size else 0.0)

    def _largest(self, chosen: SelectionSetNode | None, kind: GraphQLNamedType, value: Any) -> float:
        if isinstance(value, list):
            return max((self._selection(chosen, kind, one) for one in value if one), default=0.0)
        return self._selection(chosen, kind, value)

    def _fields(
        self, chosen: SelectionSetNode | None, kind: GraphQLNamedType
    ) -> list[tuple[str, FieldNode, GraphQLNamedType]]:
        """(answer's name, field, its named type), fragments included."""
        rows: list[tuple[str, FieldNode, GraphQLNamedType]] = []
        for node in chosen.selections if chosen else ():
            if isinstance(node, FieldNode):
                definition = getattr(kind, "fields", {}).get(node.name.value)
                if definition is not None:
                    name = node.alias.value if node.alias else node.name.value
                    rows.append((name, node, get_named_type(definition.type)))
            elif isinstance(node, InlineFragmentNode):
                rows += self._fields(node.selection_set, self._of(node.type_condition, kind))
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                rows += self._fields(fragment.selection_set, self._of(fragment.type_condition, kind))
        return rows

    def _of(self, condition: Any, kind: GraphQLNamedType) -> GraphQLNamedType:
        found = self._schema.get_type(condition.name.value) if condition else None
        return found if isinstance(found, GraphQLObjectType) else (found or kind)
