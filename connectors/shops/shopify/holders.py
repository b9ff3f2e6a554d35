"""Finds what a shop has under some SKUs or GTINs, whoever made it: Shopify keeps neither unique."""

from collections.abc import Iterator, Sequence

from connectors.base import ShopListing
from connectors.shops.shopify.client import Fields, GraphQL

VARIANT = "gid://shopify/ProductVariant/"
WORDS_A_CALL = 50
"""SKUs and GTINs of one search, or variants of one reading."""


def holders(graphql: GraphQL, skus: Sequence[str], gtins: Sequence[str]) -> Iterator[ShopListing]:
    """See the Protocol. A search goes by words, without regard to case: some may come that only begin alike. The shop
    finds what was made some seconds ago."""
    words = [f"sku:{_quoted(one)}" for one in skus] + [f"barcode:{_quoted(one)}" for one in gtins]
    for start in range(0, len(words), WORDS_A_CALL):
        search, after = " OR ".join(words[start : start + WORDS_A_CALL]), None
        while True:
            page = graphql.read("Holders", search=search, after=after)["productVariants"]
            yield from (_held(one) for one in page["nodes"])
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]


def variants(graphql: GraphQL, external_ids: Sequence[str]) -> Iterator[ShopListing]:
    """See the Protocol. Read by id, not searched for: what was made or renamed this second is told as it is."""
    asked = [number for number in external_ids if number.startswith(VARIANT)]
    for start in range(0, len(asked), WORDS_A_CALL):
        nodes = graphql.read("Variants", ids=asked[start : start + WORDS_A_CALL])["nodes"]
        yield from (_held(one) for one in nodes if one)


def key_of(product: Fields) -> str | None:
    """Our own key on a product; None where it has none."""
    return str(product["key"]["value"]) if product.get("key") else None


def _quoted(word: str) -> str:
    """As the search takes it literally (shopify.dev, "Shopify API search syntax")."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _held(variant: Fields) -> ShopListing:
    product = variant["product"]
    return ShopListing(
        external_id=str(variant["id"]), parent_id=str(product["id"]),
        status="trash" if product["status"] == "ARCHIVED" else "live", sku=str(variant["sku"] or ""),
        gtin=str(variant["barcode"] or "") or None, key=key_of(product),
    )  # fmt: skip
