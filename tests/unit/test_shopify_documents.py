"""Every document the Shopify connector sends is right by Shopify's own schema of that version, and asks for nothing deprecated."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    FragmentDefinitionNode,
    GraphQLSchema,
    NoDeprecatedCustomRule,
    OperationDefinitionNode,
    build_client_schema,
    parse,
    specified_rules,
    validate,
)

from connectors.shops.shopify import (
    bulk,
    client,
    connector,
    facts,
    limits,
    order_mapping,
    shipments,
    stock,
    trade,
    upsert,
    webhooks,
)
from sandbox.shopify.cost import Cost

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "sandbox" / "shopify" / "schema" / "admin_2026-10.stripped.json.gz"
DOCUMENTS = Path(client.__file__).parent / "documents"
NAMES = sorted(path.stem for path in DOCUMENTS.glob("*.graphql") if not path.stem.endswith("Parts"))


@cache
def schema() -> GraphQLSchema:
    found: Any = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    # Shopify's own schema marks fields deprecated that its interfaces do not; that is not ours to judge.
    return build_client_schema(found.get("data", found), assume_valid=True)


def faults(text: str) -> list[str]:
    return [
        error.message for error in validate(schema(), parse(text), [*specified_rules, NoDeprecatedCustomRule])
    ]


@pytest.mark.parametrize("name", bulk.OURS)
def test_a_mutation_in_bulk_has_one_list_at_most(name: str) -> None:
    """shopify.dev, "Bulk import data": at most one connection field."""
    assert client.document(name).count("first:") <= 1


def test_there_are_documents() -> None:
    assert {"Shop", "ProductSet", "SetStock", "Orders", "Fulfil"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_right_by_the_schema(name: str) -> None:
    text = client.document(name)
    assert faults(text) == []
    operations = [one for one in parse(text).definitions if isinstance(one, OperationDefinitionNode)]
    assert [one.name.value for one in operations if one.name] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_a_change_can_be_told_from_a_look(name: str) -> None:
    """`GraphQL.change` takes a mutation's only field; a document of two would hide the second."""
    operation = next(
        one for one in parse(client.document(name)).definitions if isinstance(one, OperationDefinitionNode)
    )
    if operation.operation.value == "mutation":
        assert len(operation.selection_set.selections) == 1


def test_the_validation_finds_what_is_wrong_or_deprecated() -> None:
    assert faults("{ shop { nme } }") == ["Cannot query field 'nme' on type 'Shop'. Did you mean 'name'?"]
    assert any("deprecated" in fault for fault in faults('{ order(id: "x") { totalPrice } }'))


def test_the_version_of_the_address_is_that_of_the_schema() -> None:
    assert client.VERSION in SCHEMA.name and f"admin/api/{client.VERSION}/graphql.json" == client.ENDPOINT


LARGEST: dict[str, dict[str, Any]] = {
    "Products": {"ids": ["x"] * connector.PRODUCTS_A_READ},
    "Pictures": {"ids": ["x"] * bulk.LOOK},
    "BulkProductSet": {"variants": upsert.PAGE, "input": {"variants": []}},
    "Stock": {"ids": ["x"] * stock.LOOK},
    "ProductSet": {
        "variants": upsert.PAGE,
        "pictures": upsert.PAGE,
        "input": {
            "variants": [{}] * limits.MOST_VARIANTS,
            "files": [{}] * limits.MOST_FILES,
            "metafields": [{}] * 2,
        },
    },
}
"""The longest lists the connector sends; every other document costs the same whatever it is asked."""


@pytest.mark.parametrize("name", NAMES)
def test_no_document_costs_more_than_one_query_may(name: str) -> None:
    assert cost(name, LARGEST.get(name, {})) <= 1000


def test_an_order_page_costs_what_its_docstring_says() -> None:
    assert cost("Orders", {}) == 218


def test_the_heaviest_product_is_carried_without_the_pictures_of_its_variants() -> None:
    most = LARGEST["ProductSet"]["input"]
    assert client.carried(most) <= upsert.MOST_CARRIED
    wish = {"variants": [{"file": {}}] * 1000, "files": [{}] * 60, "metafields": [{}] * 2}
    variables = {"variants": upsert.PAGE, "pictures": upsert.PAGE, "input": wish}
    assert client.carried(wish) <= upsert.MOST_CARRIED and cost("ProductSet", variables) <= 1000


def test_listings_cost_what_their_docstring_says() -> None:
    """Ten variants and two pictures, as far as what is asked for tells it."""
    wish: dict[str, Any] = {"variants": [{}] * 10, "files": [{}] * 2, "metafields": [{}] * 2}
    assert cost("ProductSet", {"variants": 10, "pictures": 2, "input": wish}) == 30
    assert (cost("ProductsByKey", {}), cost("Publish", {}), cost("Trade", {})) == (upsert.KEYS, 10, 11)


def cost(name: str, variables: dict[str, Any]) -> int:
    definitions = parse(client.document(name)).definitions
    operation = next(one for one in definitions if isinstance(one, OperationDefinitionNode))
    fragments = {one.name.value: one for one in definitions if isinstance(one, FragmentDefinitionNode)}
    return Cost(schema(), operation, fragments, variables).requested()


def values(name: str) -> set[str]:
    kind: Any = schema().type_map[name]
    return set(kind.values)


def test_words_used_in_answers_exist_in_the_schema() -> None:
    assert values("InventorySetQuantitiesUserErrorCode") >= stock.AGAIN
    assert values("ProductSetUserErrorCode") >= upsert.LOOK_AGAIN | {upsert.TAKEN}
    assert values("BulkOperationStatus") >= set(bulk.LIVE)
    assert values("ProductVariantsBulkUpdateUserErrorCode") >= trade.GONE
    assert values("OrderDisplayFinancialStatus") >= order_mapping.PAID
    assert values("FulfillmentOrderStatus") >= shipments.SHIPPABLE | shipments.WAITING
    assert set(webhooks.TOPICS) <= values("WebhookSubscriptionTopic")
    assert set(facts.UNITS) == values("WeightUnit")
    assert values("CountryCode") == limits.COUNTRIES
