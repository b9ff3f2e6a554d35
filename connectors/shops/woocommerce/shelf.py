"""What stands in the shop: read back by id or whole, and taken out of sale."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from connectors.base import PushResult, ShopListing
from connectors.http import plain
from connectors.shops.woocommerce import mapping
from connectors.shops.woocommerce.client import BY_ID, PAGE, Fields, Rest
from connectors.shops.woocommerce.facts import Facts
from connectors.shops.woocommerce.stock import path_of


class Shelf:
    """The products of one shop as they stand in it."""

    def __init__(self, rest: Rest, facts: Facts) -> None:
        self._rest, self._facts = rest, facts

    def read_back(self, external_ids: Sequence[str]) -> Iterator[ShopListing]:
        """What the shop holds for these products; a product that is gone is one listing with the status "missing"."""
        for start in range(0, len(external_ids), PAGE):
            some = [number for number in external_ids[start : start + PAGE] if number.isdigit()]
            found = self._products(some)
            found |= self._products([number for number in some if number not in found], status="trash")
            for number in external_ids[start : start + PAGE]:
                if number in found:
                    yield from self._listings(found[number])
                else:
                    yield ShopListing(external_id=number, parent_id=None, status="missing")

    def everything(self) -> Iterator[ShopListing]:
        """Every simple product and every variation outside the trash. Other kinds (external, grouped, a plugin's
        own) are left out: a push would turn them into what they are not."""
        for product in self._rest.pages("products", **BY_ID):
            if product.get("type") == "simple":
                yield self._keyed(product)
            elif product.get("type") == "variable":
                yield from (self._keyed(variation, product) for variation in self._variations(product))

    def holders(self, skus: Sequence[str], gtins: Sequence[str]) -> Iterator[ShopListing]:
        """Products and variations that have one of these. A SKU the shop keeps unique; a GTIN too, but not those that an
        import wrote past its check (recorded: products_by_sku_list; class-wc-rest-products-controller.php, global_unique_id).
        A shop that is too old to search by GTIN tells of all its products instead: then no more is asked."""
        found = list(self._rest.by_sku(skus)) if skus else []
        for start in range(0, len(gtins), PAGE):
            asked = gtins[start : start + PAGE]
            some = self._rest.one("products", global_unique_id=",".join(asked), per_page=PAGE, **BY_ID)
            if any(one.get("global_unique_id") not in asked for one in some):
                break
            found += some
        yield from self._sellable(found)

    def variants(self, external_ids: Sequence[str]) -> Iterator[ShopListing]:
        """Each read by its number: a list of products leaves variations out, and what is in the trash."""
        numbers = [number for number in external_ids if number.isdecimal()]
        read = (self._rest.known(f"products/{number}") for number in numbers)
        return self._sellable(one for one in read if one is not None)

    def withdraw(self, external_ids: Sequence[str]) -> Iterator[PushResult]:
        """Products become drafts, "product/variation" ids private: both keep their id, orders and reviews (decision
        0053). What is gone already is out of sale: no problem."""
        by_parent: dict[str | None, list[str]] = {}
        for external_id in external_ids:
            by_parent.setdefault(external_id.rpartition("/")[0] or None, []).append(external_id)
        for parent, some in by_parent.items():
            status = "private" if parent else "draft"
            wishes: list[Fields] = [{"id": int(name.rpartition("/")[2]), "status": status} for name in some]
            for name, answer in zip(some, self._rest.repeat(path_of(parent), wishes), strict=True):
                yield _withdrawn(name, answer)

    def _sellable(self, found: Iterable[Fields]) -> Iterator[ShopListing]:
        """Each by itself, a variation without its product."""
        for one in found:
            if one.get("type") in ("simple", "variation"):
                parent = str(one["parent_id"]) if one.get("parent_id") else None
                yield replace(self._keyed(one), parent_id=parent)

    def _keyed(self, found: Fields, parent: Fields | None = None) -> ShopListing:
        key = mapping.key_of(found) or (mapping.key_of(parent) if parent else None)
        return replace(mapping.listing(found, self._facts.currency, parent), key=key)

    def _products(self, external_ids: Sequence[str], **params: str) -> dict[str, Fields]:
        if not external_ids:
            return {}
        found = self._rest.one("products", include=",".join(external_ids), per_page=PAGE, **params)
        return {str(product["id"]): product for product in found}

    def _listings(self, product: Fields) -> Iterator[ShopListing]:
        held = self._variations(product) if product.get("type") == "variable" else []
        for variation in held:
            yield mapping.listing(variation, self._facts.currency, product)
        if not held:
            yield mapping.listing(product, self._facts.currency)

    def _variations(self, product: Fields) -> list[Fields]:
        params = {**BY_ID, **({"status": "trash"} if product.get("status") == "trash" else {})}
        return sorted(self._rest.pages(path_of(str(product["id"])), **params), key=lambda one: int(one["id"]))


def _withdrawn(name: str, answer: Fields) -> PushResult:
    if "lost" in answer:
        return PushResult(name, name, problem=str(answer["lost"]), unknown=True)
    error = answer.get("error")
    if error is None or str(error.get("code")).endswith("_invalid_id"):
        return PushResult(name, name)
    words = plain(str(error.get("message")))
    return PushResult(name, name, problem=f"The shop refused the change of {name}: {words}")
