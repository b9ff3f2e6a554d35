"""Brings products into the shop: what is sent of each, its variations after it, and its stock by the law of stock."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from connectors.base import ProductDraft, PushResult, StockLevel, VariantDraft
from connectors.shops.woocommerce import mapping, sorting
from connectors.shops.woocommerce.client import BATCH, BY_ID, Fields, Rest
from connectors.shops.woocommerce.entry import Entry
from connectors.shops.woocommerce.facts import Facts
from connectors.shops.woocommerce.stock import Stock, path_of
from connectors.shops.woocommerce.terms import Terms
from connectors.shops.woocommerce.upsert import Upsert
from core.errors import EntrepotError, Refused


class Products:
    """One push into one shop at a time; categories and tags are looked up once."""

    def __init__(self, rest: Rest, facts: Facts, stock: Stock) -> None:
        self._rest, self._facts, self._stock = rest, facts, stock
        self._categories, self._tags = Terms(rest, "category"), Terms(rest, "tag")

    def push(self, drafts: Sequence[ProductDraft]) -> Iterator[PushResult]:
        """Creates or updates products; see the Protocol. A variable product is yielded twice."""
        ours = [draft for draft in drafts if not draft.trade_only]
        owners = [draft for draft in drafts if draft.trade_only]
        shared = _Shared()
        for start in range(0, len(ours), BATCH):
            yield from self._push(ours[start : start + BATCH], shared)
        for start in range(0, len(owners), BATCH):
            yield from self._push_trade(owners[start : start + BATCH], shared)

    # ---------------------------------------------------------------- what is ours

    def _push(self, drafts: Sequence[ProductDraft], shared: "_Shared") -> Iterator[PushResult]:
        wanted: dict[str, ProductDraft] = {}
        entries = []
        for draft in drafts:
            problem = mapping.why_not(draft)
            bad = self._bad(draft)
            if problem is None and len(bad) == len(draft.variants):
                problem = " ".join(dict.fromkeys(bad.values()))
            if problem is not None:
                yield PushResult(draft.key, draft.external_id, problem=problem, problems=bad)
                continue
            good = tuple(variant for variant in draft.variants if variant.key not in bad)
            wanted[draft.key] = replace(draft, variants=good)
            entries.append(self._product_entry(wanted[draft.key], bad))
        variable, levels = [], _Levels()
        for entry in Upsert(self._rest, "products", shared.library, shared.dead).settle(entries):
            draft = wanted[entry.key]
            result = _product_result(draft, entry)
            if not (draft.simple and levels.hold(result, draft.variants[0], entry)):
                yield result
            if not draft.simple and entry.id is not None and entry.problem is None:
                variable.append((draft, entry))
        yield from self._set_stock(levels)
        for draft, entry in variable:
            yield from self._push_variations(draft, entry, shared)

    def _bad(self, draft: ProductDraft) -> dict[str, str]:
        why_not = mapping.why_not_trade if draft.trade_only else mapping.why_not_variant
        faults = {variant.key: why_not(variant, self._facts.currency) for variant in draft.variants}
        return {key: fault for key, fault in faults.items() if fault is not None}

    def _product_entry(self, draft: ProductDraft, problems: dict[str, str]) -> Entry:
        only = draft.variants[0] if draft.simple else None
        pictures = draft.images or ((only.image,) if only and only.image else ())
        tags = [_term(self._tags, (name,), "tags", problems) for name in draft.tags]
        return Entry(
            key=draft.key,
            sku=only.sku if only else mapping.parent_sku(draft),
            fields=mapping.product_fields(draft, self._unit(draft)),
            creation=mapping.at_making(draft) | _stock_at_making(only),
            making=partial(self._place, draft, problems),
            place=sorting.written(draft.category),
            gtin=only.gtin if only else None,
            gtin_key=only.key if only else "",
            tags=tuple(dict.fromkeys(number for number in tags if number is not None)),
            not_skus=mapping.not_its_skus(draft),
            pictures=tuple(dict.fromkeys(pictures)),
            picture_ids=dict(draft.image_ids),
            id=int(draft.external_id) if draft.external_id else None,
            problems=problems,
        )

    def _place(self, draft: ProductDraft, problems: dict[str, str]) -> Fields:
        """Its category, looked for or made when it is made, or when it stands in the one we chose then and is to stand in
        another: its owner may sort it as he likes, and keep his shop without ours (decision 0051)."""
        category = _term(self._categories, draft.category, "category", problems)
        return {} if category is None else {"categories": [{"id": category}]}

    def _push_variations(
        self, draft: ProductDraft, product: Entry, shared: "_Shared"
    ) -> Iterator[PushResult]:
        entries = [
            Entry(
                key=variant.key,
                sku=variant.sku,
                fields=mapping.variation_fields(variant, draft, self._unit(draft)),
                creation=_stock_at_making(variant),
                gtin=variant.gtin,
                gtin_key=variant.key,
                pictures=(variant.image,) if variant.image else (),
                picture_ids=product.picture_ids | dict(draft.image_ids),
                parent=product.id,
                id=int(variant.external_id) if variant.external_id else None,
            )
            for variant in draft.variants
        ]
        if product.childless:
            self._recall(entries)
        yield from self._settle_below(_product_result(draft, product), draft, entries, shared)

    def _recall(self, entries: Sequence[Entry]) -> None:
        """A product that comes back from the trash comes alone, and the SKUs that its variations hold there keep no second
        ones from being made: ours among them are adopted, so that their ids stay."""
        path = path_of(str(entries[0].parent))
        for found in self._rest.pages(path, status="trash", **BY_ID):
            for entry in entries:
                if entry.id is None and entry.adopt({**found, "parent_id": entry.parent}):
                    break

    def _settle_below(
        self, result: PushResult, draft: ProductDraft, entries: Sequence[Entry], shared: "_Shared"
    ) -> Iterator[PushResult]:
        """The variations of one product, then their stock: one result with all that was learnt."""
        variants = {variant.key: variant for variant in draft.variants}
        settled = []
        path = path_of(result.external_id)
        try:
            for entry in Upsert(self._rest, path, shared.library, shared.dead).settle(entries):
                result = _with_variation(result, entry)
                settled.append(entry)
        except EntrepotError:
            waiting = [entry.key for entry in settled if mapping.known_stock(variants[entry.key])]
            yield replace(result, variant_ids=_without(result.variant_ids, waiting))
            raise
        levels = _Levels()
        levels.results[result.key] = result
        for entry in settled:
            levels.hold(levels.results[result.key], variants[entry.key], entry)
        yield from self._set_stock(levels)

    def _unit(self, draft: ProductDraft) -> str:
        heavy = any(variant.weight_g is not None for variant in draft.variants)
        return self._facts.weight_unit if heavy else ""

    # ---------------------------------------------------------------- what is its owner's

    def _push_trade(self, drafts: Sequence[ProductDraft], shared: "_Shared") -> Iterator[PushResult]:
        """Prices and stock alone. Nothing is made: what the shop has not is told."""
        entries, below, levels = [], [], _Levels()
        known = {}
        for draft in drafts:
            problems = self._bad(draft)
            good = [variant for variant in draft.variants if variant.key not in problems]
            problems |= {v.key: _not_made(v) for v in good if not v.external_id or not draft.external_id}
            good = [variant for variant in good if variant.key not in problems]
            result = PushResult(draft.key, draft.external_id, problems=problems)
            whole = [v for v in good if v.external_id == draft.external_id]
            if not good:
                yield replace(
                    result, problem=" ".join(dict.fromkeys(problems.values())) or "Nothing to sell."
                )
            elif whole:
                known[draft.key] = (result, whole[0])
                entries.append(_trade_entry(draft.key, whole[0]))
            else:
                below.append((result, replace(draft, variants=tuple(good))))
        for entry in Upsert(self._rest, "products", shared.library, shared.dead).settle(entries):
            result, variant = known[entry.key]
            result = replace(result, problem=entry.problem, unknown=entry.unknown)
            if entry.problem is None:
                result = replace(result, variant_ids={variant.key: str(entry.id)})
            if not levels.hold(result, variant, entry):
                yield result
        yield from self._set_stock(levels)
        for result, draft in below:
            rows = [
                replace(_trade_entry(v.key, v), parent=int(draft.external_id or 0)) for v in draft.variants
            ]
            yield from self._settle_below(result, draft, rows, shared)

    # ---------------------------------------------------------------- stock

    def _set_stock(self, levels: "_Levels") -> Iterator[PushResult]:
        """Sets what waited for it and yields its products: a variant counts as sent with its stock only."""
        try:
            for answer in self._stock.set(levels.wanted):
                levels.learn(answer)
        except EntrepotError:
            yield from levels.results.values()
            raise
        yield from levels.results.values()


class _Shared:
    """What all batches of one push know of pictures: ids by address, and sentences about the dead."""

    def __init__(self) -> None:
        self.library: dict[str, str] = {}
        self.dead: dict[str, str] = {}


class _Levels:
    """Stock that is set after its products, relative to what the shop should show. `results` wait for it."""

    def __init__(self) -> None:
        self.wanted: list[StockLevel] = []
        self.results: dict[str, PushResult] = {}
        self._whose: list[tuple[str, str, str]] = []

    def hold(self, result: PushResult, variant: VariantDraft, entry: Entry) -> bool:
        """Whether the variant's stock is still to be set; its result then waits."""
        whole = entry.made_again or not entry.counted
        if not mapping.known_stock(variant) or entry.id is None or entry.problem is not None:
            return False
        if not whole and variant.stock == variant.before:
            return False
        place, parent = str(len(self.wanted)), str(entry.parent) if entry.parent else None
        before = None if whole else variant.before
        self.wanted.append(StockLevel(place, str(entry.id), parent, variant.stock, before))
        self._whose.append((result.key, variant.key, str(entry.id)))
        self.results[result.key] = replace(result, variant_ids=_without(result.variant_ids, [variant.key]))
        return True

    def learn(self, answer: PushResult) -> None:
        key, name, number = self._whose[int(answer.key)]
        result = self.results[key]
        if answer.unknown:
            self.results[key] = replace(result, problem=answer.problem, unknown=True)
        elif answer.problem is not None:
            self.results[key] = replace(result, problems=result.problems | {name: answer.problem})
        else:
            self.results[key] = replace(result, variant_ids=result.variant_ids | {name: number})


def _without(ids: dict[str, str], keys: Sequence[str]) -> dict[str, str]:
    return {key: number for key, number in ids.items() if key not in keys}


def _term(terms: Terms, path: tuple[str, ...], name: str, problems: dict[str, str]) -> int | None:
    """None where there is none, or the shop will not have it: the product goes without, and the sentence tells it."""
    try:
        return terms.number(path)
    except Refused as error:
        problems[name] = str(error)
        return None


def _stock_at_making(variant: VariantDraft | None) -> Fields:
    """What is known and yet has to be made anew comes with its stock."""
    return mapping.stock_fields(variant) if variant and mapping.known_stock(variant) else {}


def _trade_entry(key: str, variant: VariantDraft) -> Entry:
    fields = mapping.trade_fields(variant)
    if not mapping.known_stock(variant):
        fields |= mapping.stock_fields(variant)
    return Entry(key=key, sku=variant.sku, fields=fields, id=int(variant.external_id or 0), owners=True)


def _not_made(variant: VariantDraft) -> str:
    return f"{variant.sku or variant.key} is not in this product of the shop, whose page is its owner's; make it there, or let the hub have the page."


def _product_result(draft: ProductDraft, entry: Entry) -> PushResult:
    live = draft.simple and entry.id is not None and entry.problem is None
    return PushResult(
        key=draft.key,
        external_id=str(entry.id) if entry.id is not None else None,
        variant_ids={draft.variants[0].key: str(entry.id)} if live else {},
        image_ids=_images(entry),
        problem=entry.problem,
        problems=dict(entry.problems),
        unknown=entry.unknown,
    )


def _with_variation(result: PushResult, entry: Entry) -> PushResult:
    problems = result.problems | entry.problems
    result = replace(result, image_ids=result.image_ids | _images(entry))
    if entry.unknown:
        return replace(result, problem=entry.problem, problems=problems, unknown=True)
    if entry.problem is not None or entry.id is None:
        return replace(result, problems=problems | {entry.key: entry.problem or ""})
    return replace(result, problems=problems, variant_ids=result.variant_ids | {entry.key: str(entry.id)})


def _images(entry: Entry) -> dict[str, str]:
    return {url: entry.picture_ids[url] for url in entry.pictures if url in entry.picture_ids}
