"""Brings one product into the shop: looks where it may be there, sets it whole, publishes it, sets its stock; lost answers are looked up."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from connectors.base import ProductDraft, PushResult
from connectors.shops.shopify import limits, mapping, sorting
from connectors.shops.shopify.client import Fields, GraphQL, carried, refusals, sentence
from connectors.shops.shopify.collections import Collections
from connectors.shops.shopify.facts import Facts
from connectors.shops.shopify.sorting import Sorting
from connectors.shops.shopify.stock import Stock, Wish
from core.errors import EntrepotError, Misconfigured, Permanent, Refused, Temporary, Unknown

LOST = 2
"""Lost answers about one product before it is reported as unknown."""
ROUNDS = 12
"""Attempts at one product in all; each refusal takes a variant or a picture out of the next."""
LOOK_AGAIN = {"PRODUCT_DOES_NOT_EXIST", "DUPLICATED_METAFIELD_VALUE", "PRODUCT_VARIANT_DOES_NOT_EXIST"}
"""Refusals because the shop changed between our look and our write."""
TAKEN = "HANDLE_NOT_UNIQUE"
KEYS = 20
"""Keys of one look: a point each."""
MOST_CARRIED = 930.0
"""Points a product may carry, so that with its answer it costs no more than one query may."""
PAGE = 250
"""Variants and pictures that one answer names at most."""


@dataclass
class Attempt:
    """What is known of one product while it goes in: `asked` as the hub knew it, `draft` with what was learned since.

    `variants` and `dead` are refusals by variant key and URL, `remarks` what was left out without a refusal, `bare` the keys
    of variants that go without their picture. `handle` and
    `collection` are what it may still be made with. `known` are the keys of variants that were there before, `born` of
    those that a write of ours may have made, their stock included: they may be sold before its answer comes.
    """

    asked: ProductDraft
    draft: ProductDraft
    files: list[Fields] = field(default_factory=list)
    variants: dict[str, str] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    lost: int = 0
    handle: str | None = None
    collection: str | None = None
    shelved: bool = False
    bare: set[str] = field(default_factory=set)
    known: frozenset[str] = frozenset()
    born: set[str] = field(default_factory=set)

    @property
    def sent(self) -> ProductDraft:
        """The draft without what was refused."""
        good = tuple(variant for variant in self.draft.variants if variant.key not in self.variants)
        return replace(self.draft, variants=good)

    def result(self, **facts: object) -> PushResult:
        """What is known so far, as the answer for the draft."""
        problems = self.variants | {f"image:{url}": words for url, words in self.dead.items()} | self.remarks
        bare = PushResult(
            self.draft.key,
            self.draft.external_id,
            problems=problems,
            image_ids={
                url: number
                for url, number in self.draft.image_ids.items()
                if url in limits.pictures(self.draft) and url not in self.dead
            },
        )
        return replace(bare, **facts)  # type: ignore[arg-type]


class Upsert:
    """A product is found by the id we know, else by our own key, which Shopify keeps unique: it is never made twice.

    Points that Shopify keeps for a product of ten variants and two pictures, measured: 40 new (1 for its key, 10 of them to
    show it), 48 known, 11 for price and stock alone, 26 to read it back; 27 for a new one of a single variant.
    """

    def __init__(self, graphql: GraphQL, facts: Facts, stock: Stock) -> None:
        self._graphql, self._facts, self._stock = graphql, facts, stock
        self._collections = Collections(graphql, facts)
        self._sorting = Sorting(graphql, self._collections)

    def absent(self, keys: list[str]) -> set[str]:
        """Those of at most KEYS keys that no product of the shop bears."""
        _ = self.namespace
        padded = [*keys, *keys[:1] * (KEYS - len(keys))]
        found = self._graphql.read("ProductsByKey", **{f"v{at}": key for at, key in enumerate(padded)})
        return {key for at, key in enumerate(keys) if found[f"k{at}"] is None}

    def begun(self, draft: ProductDraft, refused: dict[str, str]) -> Attempt:
        """A first attempt, with what is left out before anything is sent. `refused` are variants not to be sent."""
        bad = [url for url in limits.pictures(draft) if not url.startswith(("https://", "http://"))]
        dead = {url: f"The picture {url} has no address that begins with https://." for url in bad}
        told = {f"customs:{one.sku}": limits.customs(one)[1] for one in draft.variants}
        remarks = {name: words for name, words in told.items() if words is not None}
        return Attempt(draft, draft, variants=dict(refused), dead=dead, remarks=remarks, handle=draft.handle)

    def settle(
        self, draft: ProductDraft, refused: dict[str, str], *, absent: bool = False
    ) -> Iterator[PushResult]:
        """Yields the product's id as soon as it is known, then the last word. `absent`: the shop was just seen not to have
        it.

        Where an answer is lost and the look-up fails too, the product is yielded as unknown and the error is raised.
        """
        attempt = self.begun(draft, refused)
        for turn in range(ROUNDS):
            try:
                held = None if absent and turn == 0 else self._find(attempt.draft)
            except EntrepotError as error:
                if attempt.lost:
                    yield attempt.result(problem=str(error), unknown=True)
                raise
            if held is not None:
                attempt.draft = _adopted(attempt, held)
                attempt.dead |= _failed(attempt.draft, held)
            problem = self._too_much(attempt, held)
            if problem is None:
                try:
                    payload = self._set(attempt, held)
                except Unknown as error:
                    attempt.lost += 1
                    if attempt.lost > LOST:
                        yield attempt.result(problem=str(error), unknown=True)
                        return
                    continue
                except Misconfigured:
                    raise
                except Permanent as error:
                    # Shopify does not understand this product: no reason to keep the others back.
                    yield attempt.result(problem=str(error))
                    return
                errors = refusals(payload)
                if not errors and payload.get("product"):
                    yield from self.finish(attempt, payload["product"], held)
                    return
                problem = self.judge(attempt, errors)
            if problem is not None:
                yield attempt.result(problem=problem)
                return
        yield attempt.result(problem="The shop refused every attempt at this product; look at its variants.")

    def whole(self, product: Fields, pages: str = "LookVariants", **place: str) -> Fields:
        """The product with all its variants, the others read by the document `pages`."""
        nodes, page = list(product["variants"]["nodes"]), product["variants"]["pageInfo"]
        while page["hasNextPage"]:
            more = self._graphql.read(pages, id=product["id"], after=page["endCursor"], **place)["product"]
            if more is None:
                raise Temporary(f"The product {product['id']} was deleted while it was read.")
            nodes += more["variants"]["nodes"]
            page = more["variants"]["pageInfo"]
        return {**product, "variants": {"nodes": nodes, "pageInfo": page}}

    def judge(self, attempt: Attempt, errors: list[Fields]) -> str | None:
        """Takes out what the shop refused; the sentence for the whole product where it refused that."""
        variants = attempt.sent.variants
        told = False
        for error in errors:
            where, place = _place(error["field"])
            if where == "variants" and place < len(variants) and "file" in error["field"]:
                # Shopify is still at work on the picture, which is the page's already.
                attempt.bare.add(variants[place].key)
                attempt.remarks["pictures"] = (
                    "A picture was not ready to be a variant's; it is chosen for it with the next push."
                )
            elif where == "variants" and place < len(variants):
                attempt.variants[variants[place].key] = sentence([error])
            elif where == "files" and place < len(attempt.files) and attempt.files[place]["url"]:
                url = str(attempt.files[place]["url"])
                attempt.dead[url] = f"The picture {url} was refused. {sentence([error])}"
            elif attempt.handle and (error["code"] == TAKEN or "handle" in error["field"]):
                attempt.remarks["handle"] = (
                    f"Another page has the address {attempt.handle}; the shop made its own."
                )
                attempt.handle = None
            elif attempt.collection and "collections" in error["field"]:
                attempt.remarks["collection"] = f"It stands in no collection of the hub. {sentence([error])}"
                attempt.collection = None
            elif error["code"] not in LOOK_AGAIN:
                return sentence(errors)
            told = True
        return None if told else "The shop answered without a product and without a reason."

    def fields(self, attempt: Attempt, held: Fields | None) -> tuple[Fields, Fields]:
        """(identifier, input) of productSet; what is sent of pictures is kept with the attempt."""
        known, others = mapping.match(attempt.sent, held["variants"]["nodes"]) if held else ({}, [])
        attempt.known = frozenset(known)
        attempt.born |= {one.key for one in attempt.sent.variants if one.key not in known}
        shown = mapping.media_of(held) if held else []
        files = mapping.files_of(attempt.draft, shown, attempt.dead)
        attempt.files = files or []
        wish = mapping.set_input(
            attempt.sent,
            known,
            mapping.keepable(attempt.sent, others),
            files,
            location=self._facts.location,
            handle=None if held else attempt.handle,
        )
        if held is None:
            wish |= sorting.at_making(attempt.draft, self._shelf(attempt))
        for one, variant in zip(wish["variants"], attempt.sent.variants, strict=False):
            if variant.key in attempt.bare:
                one.pop("file", None)
        if carried(wish) > MOST_CARRIED:
            for one in wish["variants"]:
                one.pop("file", None)
            attempt.remarks["pictures"] = (
                "The product has too many variants for the shop to take each one's picture; choose them in the shop."
            )
        if held:
            return {"id": held["id"]}, wish
        return {
            "customId": {"namespace": self.namespace, "key": sorting.KEY, "value": attempt.draft.key}
        }, wish

    def finish(self, attempt: Attempt, product: Fields, held: Fields | None) -> Iterator[PushResult]:
        """The product is in: tells its ids, then shows it and sees to what productSet does not do."""
        number = str(product["id"])
        attempt.draft = replace(attempt.draft, external_id=number)
        found = mapping.image_ids(attempt.files, mapping.media_of(product))
        attempt.draft = replace(attempt.draft, image_ids={**attempt.draft.image_ids, **found})
        learned = attempt.draft.external_id, attempt.draft.image_ids
        if learned != (attempt.asked.external_id, attempt.asked.image_ids):
            yield attempt.result(problems={})
        if not product["published"]:
            errors = self._twice("Publish", id=number, input=[{"publicationId": self._facts.publication}])
            if isinstance(errors, Unknown):
                yield attempt.result(problem=str(errors), unknown=True)
                return
            if errors:
                yield attempt.result(problem=f"It could not be shown in the online store. {sentence(errors)}")
                return
        if held is not None:
            try:
                attempt.remarks |= self._sorting.settle(attempt.draft, held)
            except Misconfigured:
                raise
            except Permanent as error:
                attempt.remarks["sorting"] = str(error)  # no reason to keep it or the others back
        whole = self.whole(product)
        known, _ = mapping.match(attempt.sent, whole["variants"]["nodes"])
        if len(known) < len(attempt.sent.variants):
            # Two of its variants have the same SKU: only their options tell them apart, which a look shows.
            whole = self._find(attempt.draft) or whole
            known, _ = mapping.match(attempt.sent, whole["variants"]["nodes"])
        yield self._stocked(attempt, known, whole)

    def _find(self, draft: ProductDraft) -> Fields | None:
        found: Fields | None = None
        if draft.external_id and draft.external_id.startswith("gid://shopify/Product/"):
            found = self._graphql.read("Product", id=draft.external_id)["product"]
        if found is None:
            name = {"namespace": self.namespace, "key": sorting.KEY, "value": draft.key}
            found = self._graphql.read("ProductByKey", **name)["productByIdentifier"]
        return None if found is None else self.whole(found)

    def _too_much(self, attempt: Attempt, held: Fields | None) -> str | None:
        if not attempt.sent.variants:
            return " ".join(dict.fromkeys(attempt.variants.values()))
        if held is not None:
            _, others = mapping.match(attempt.sent, held["variants"]["nodes"])
            number = len(attempt.sent.variants) + len(mapping.keepable(attempt.sent, others))
            if number > limits.MOST_VARIANTS:
                return (
                    f"With those it has already the product would have {number} variants; the shop takes at most "
                    f"{limits.MOST_VARIANTS}. Delete some in the shop."
                )
        return None

    def _set(self, attempt: Attempt, held: Fields | None) -> Fields:
        identifier, wish = self.fields(attempt, held)
        return self._graphql.change(
            "ProductSet",
            identifier=identifier,
            input=wish,
            publication=self._facts.publication,
            variants=min(len(wish["variants"]), PAGE),
            pictures=min(max(len(wish.get("files") or ()), 1), PAGE),
        )

    def _shelf(self, attempt: Attempt) -> str | None:
        """The collection it is made in, looked for or made once."""
        if not attempt.shelved:
            attempt.shelved = True
            try:
                attempt.collection = self._collections.of(attempt.draft.category)
            except Refused as error:
                attempt.remarks["collection"] = str(error)
        return attempt.collection

    def _twice(self, document: str, **variables: object) -> list[Fields] | Unknown:
        """The refusals of a change that changes nothing the second time: a lost answer is simply asked for again."""
        try:
            try:
                return refusals(self._graphql.change(document, **variables))
            except Unknown:
                return refusals(self._graphql.change(document, **variables))
        except Unknown as error:
            return error

    def _stocked(self, attempt: Attempt, known: dict[str, str], product: Fields) -> PushResult:
        """Sets the stock of variants that were there before; what this write made has its own already."""
        items = {str(one["id"]): str(one["inventoryItem"]["id"]) for one in product["variants"]["nodes"]}
        wanted = {
            known[one.key]: Wish(one.stock, one.before, items[known[one.key]])
            for one in attempt.sent.variants
            if one.key in known and one.key in attempt.known and one.key not in attempt.born
        }
        unknown: str | None = None
        keys = {number: key for key, number in known.items()}
        for number, outcome in self._stock.settle(wanted):
            if outcome.problem is not None:
                key = keys[number]
                attempt.variants[key] = outcome.problem
                del known[key]
                unknown = outcome.problem if outcome.unknown else unknown
        for variant in attempt.sent.variants:
            if variant.key not in known:
                attempt.variants[variant.key] = f"The shop did not keep the variant {variant.sku}."
        stock_ids = {key: items[number] for key, number in known.items()}
        return attempt.result(
            variant_ids=known, stock_ids=stock_ids, problem=unknown, unknown=unknown is not None
        )

    @cached_property
    def namespace(self) -> str:
        """The namespace of our key, once its definition is there: a look by custom id needs it, and it makes the values
        unique. Making it again is refused as TAKEN and changes nothing."""
        definition: Fields = {
            "name": "Entrepot key",
            "namespace": sorting.NAMESPACE,
            "key": sorting.KEY,
            "type": "id",
            "ownerType": "PRODUCT",
            "capabilities": {"uniqueValues": {"enabled": True}},
        }
        try:
            errors = refusals(self._graphql.change("KeyDefinition", definition=definition))
        except Unknown as error:
            raise Temporary(f"The definition of the hub's key may not have been made: {error}") from None
        if any(error["code"] != "TAKEN" for error in errors):
            raise Misconfigured(f"The hub's key could not be defined in the shop. {sentence(errors)}")
        return sorting.NAMESPACE


def _adopted(attempt: Attempt, held: Fields) -> ProductDraft:
    """The draft with the id of what was found, and after a lost answer with the pictures that went in all the same."""
    draft = replace(attempt.draft, external_id=str(held["id"]))
    found = mapping.image_ids(attempt.files, mapping.media_of(held)) if attempt.lost else {}
    return replace(draft, image_ids={**draft.image_ids, **found})


def _failed(draft: ProductDraft, held: Fields) -> dict[str, str]:
    """Pictures of ours that Shopify could not fetch since the last push: told and left out now, tried again next time."""
    failed = set(mapping.media_of(held, failed=True))
    return {
        url: f"Shopify could not fetch the picture {url}; it is tried again with the next push."
        for url, number in draft.image_ids.items()
        if number in failed
    }


def _place(path: list[str]) -> tuple[str, int]:
    """("variants", 3) of ["input", "variants", "3", "price"]; ("", 0) where it names no member of a list."""
    for name, place in pairwise(path):
        if name in {"variants", "files"} and place.isdecimal():
            return name, int(place)
    return "", 0
