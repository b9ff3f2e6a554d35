"""Price and stock alone of products whose page is their owner's: nothing else of them is touched, and none is ever made."""

from collections.abc import Iterator, Sequence

from connectors.base import ProductDraft, PushResult, VariantDraft
from connectors.shops.shopify import mapping
from connectors.shops.shopify.client import GraphQL, refusals, sentence
from connectors.shops.shopify.stock import Stock, Wish
from core.errors import Misconfigured, Permanent, Unknown

PAGE = 250
"""Variants of one call, the most that Shopify takes in a list."""
GONE = {"PRODUCT_DOES_NOT_EXIST", "PRODUCT_VARIANT_DOES_NOT_EXIST"}


class Trade:
    """Ten points a product, whatever it has of variants; its stock goes 250 a call."""

    def __init__(self, graphql: GraphQL, stock: Stock) -> None:
        self._graphql, self._stock = graphql, stock

    def settle(self, draft: ProductDraft, refused: dict[str, str]) -> Iterator[PushResult]:
        """The answer for one draft with `trade_only`; `refused` are variants not to be sent."""
        problems = dict(refused)
        for one in draft.variants:
            if one.external_id is None and one.key not in problems:
                problems[one.key] = (
                    f"The page of {one.sku} stays its owner's: add the variant there and adopt it, or let the page be ours."
                )
        good = [one for one in draft.variants if one.key not in problems]
        if draft.external_id is None or not good:
            words = dict.fromkeys(problems.values()) or ["The product is no longer in the shop."]
            yield PushResult(draft.key, draft.external_id, problem=" ".join(words), problems=problems)
            return
        stock_ids: dict[str, str] = {}
        for start in range(0, len(good), PAGE):
            some = good[start : start + PAGE]
            try:
                stock_ids |= self._price(draft.external_id, some, problems)
            except Unknown as error:
                yield PushResult(
                    draft.key, draft.external_id, problem=str(error), problems=problems, unknown=True
                )
                return
            except Misconfigured:
                raise
            except Permanent as error:
                yield PushResult(draft.key, draft.external_id, problem=str(error), problems=problems)
                return
        yield self._stocked(draft, [one for one in good if one.key not in problems], stock_ids, problems)

    def _price(self, product: str, some: Sequence[VariantDraft], problems: dict[str, str]) -> dict[str, str]:
        """Sets prices, twice where an answer was lost: the second time changes nothing. The ids of the stock by variant;
        refusals go into `problems`."""
        wish = [mapping.trade(one) for one in some]
        try:
            payload = self._graphql.change("Trade", id=product, variants=wish)
        except Unknown:
            payload = self._graphql.change("Trade", id=product, variants=wish)
        for error in refusals(payload):
            place = next((int(part) for part in error["field"] if part.isdecimal()), None)
            named = [some[place]] if place is not None and place < len(some) else some
            words = "It is no longer in the shop." if error["code"] in GONE else sentence([error])
            problems |= {one.key: words for one in named}
        return {
            str(one["id"]): str(one["inventoryItem"]["id"]) for one in payload.get("productVariants") or []
        }

    def _stocked(
        self,
        draft: ProductDraft,
        good: Sequence[VariantDraft],
        items: dict[str, str],
        problems: dict[str, str],
    ) -> PushResult:
        keys = {str(one.external_id): one.key for one in good}
        wanted = {
            str(one.external_id): Wish(one.stock, one.before, items.get(str(one.external_id))) for one in good
        }
        variant_ids: dict[str, str] = {}
        stock_ids: dict[str, str] = {}
        unknown: str | None = None
        for number, outcome in self._stock.settle(wanted):
            key = keys[number]
            if outcome.problem is not None:
                problems[key] = outcome.problem
                unknown = outcome.problem if outcome.unknown else unknown
                continue
            variant_ids[key] = number
            if outcome.stock_id:
                stock_ids[key] = outcome.stock_id
        problem = unknown or (None if variant_ids else " ".join(dict.fromkeys(problems.values())))
        return PushResult(
            draft.key,
            draft.external_id,
            variant_ids=variant_ids,
            stock_ids=stock_ids,
            problem=problem,
            problems=problems,
            unknown=unknown is not None,
        )
