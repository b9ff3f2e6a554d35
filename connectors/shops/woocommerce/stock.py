"""Sets stock in a shop that counts by itself: relative to what it should show, so that no unseen sale is sold again."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from connectors.base import PushResult, StockLevel
from connectors.http import plain
from connectors.shops.woocommerce.client import BATCH, BY_ID, Fields, Rest
from core.errors import EntrepotError, Refused, Unknown


class Stock:
    """The stock of one shop's products and variations.

    `stock_quantity` is absolute and would sell a second time what was sold a moment ago. `inventory_delta` adds to what
    the shop holds; it is in no documentation, was recorded (product_put_inventory_delta) and stands in WooCommerce's
    class-wc-rest-products-controller.php and class-wc-rest-product-variations-controller.php, prepare_object_for_database,
    which batches go through as well. It is not atomic in the shop: a sale within the same milliseconds may be lost there.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def set(self, levels: Sequence[StockLevel]) -> Iterator[PushResult]:
        """One result a level, in batches of 100: simple products together, variations by product.

        With `before` known the difference is sent, else (and for 0, which is right whatever was sold) the figure itself.
        Where the answer shows that the shop does not count this thing, stock is switched on and set whole; where it shows
        more than wanted, since somebody raised it, it is lowered to what is wanted; below zero it is set to 0.

        An absolute figure whose answer was lost is sent again, once. A difference never is: the shop may have added it,
        or add it later. It is read: a raised figure above `before` can only be ours and is settled; everything else is
        `unknown`, to be read, swept and set anew by the hub. Where reading fails too its error is raised after the results.
        """
        by_parent: dict[str | None, list[StockLevel]] = {}
        for level in levels:
            if type(level.stock) is not int or level.stock < 0:
                problem = (
                    f"The stock of {level.external_id} is {level.stock!r}; it must be a whole number from 0."
                )
                yield PushResult(level.key, level.external_id, problem=problem)
            elif level.stock == level.before:
                yield PushResult(level.key, level.external_id)
            else:
                by_parent.setdefault(level.parent_id, []).append(level)
        for parent, some in by_parent.items():
            for start in range(0, len(some), BATCH):
                yield from self._set(parent, some[start : start + BATCH])

    def _set(self, parent: str | None, levels: Sequence[StockLevel]) -> Iterator[PushResult]:
        path = path_of(parent)
        try:
            answers = self._rest.batch(path, [wish(level) for level in levels])
        except Refused as error:
            yield from (_refused(level, str(error)) for level in levels)
            return
        except Unknown as error:
            yield from self._after_loss(parent, levels, error)
            return
        again = []
        for level, answer in zip(levels, answers, strict=True):
            mended = mend(level, answer)
            if mended is not None:
                again.append(mended)
            else:
                yield _result(level, answer)
        yield from self._mended(path, again)

    def _mended(self, path: str, levels: Sequence[StockLevel]) -> Iterator[PushResult]:
        """The second and last word about these: what is still not as wanted is told."""
        if not levels:
            return
        try:
            answers = self._rest.batch(path, [wish(level) for level in levels])
        except EntrepotError as error:
            # Their first change was made: what they show is not what is wanted, whatever kept the second from being made.
            yield from (_lost(level, error) for level in levels)
            if isinstance(error, (Unknown, Refused)):
                return
            raise
        for level, answer in zip(levels, answers, strict=True):
            yield _lost(level, None) if _too_many(level, answer) else _result(level, answer)

    def _after_loss(
        self, parent: str | None, levels: Sequence[StockLevel], error: Unknown
    ) -> Iterator[PushResult]:
        left = list(levels)
        try:
            for level, result in self._settled(parent, levels, error):
                left.remove(level)
                yield result
        except EntrepotError:
            yield from (_lost(level, error) for level in left)
            raise

    def _settled(
        self, parent: str | None, levels: Sequence[StockLevel], error: Unknown
    ) -> Iterator[tuple[StockLevel, PushResult]]:
        whole = [level for level in levels if not relative(level)]
        for level, answer in zip(
            whole, self._rest.repeat(path_of(parent), list(map(wish, whole))), strict=True
        ):
            yield level, _lost(level, error) if "lost" in answer else _result(level, answer)
        parts = [level for level in levels if relative(level)]
        held = self._held(parent, parts)
        for level in parts:
            shown = held.get(level.external_id)
            surely = shown is not None and level.before is not None and level.before < shown <= level.stock
            yield level, PushResult(level.key, level.external_id) if surely else _lost(level, error)

    def _held(self, parent: str | None, levels: Sequence[StockLevel]) -> dict[str, int]:
        """What the shop shows of these now, those it counts only."""
        if not levels:
            return {}
        wanted = {level.external_id for level in levels}
        narrowed = BY_ID if parent else {**BY_ID, "include": ",".join(sorted(wanted))}
        found = self._rest.pages(path_of(parent), **narrowed)
        return {
            str(one["id"]): int(one["stock_quantity"])
            for one in found
            if one.get("manage_stock") is True and str(one["id"]) in wanted
        }


def relative(level: StockLevel) -> bool:
    """Whether the difference is sent. Not for 0: nothing more may be sold, whatever was."""
    return level.before is not None and level.stock > 0


def wish(level: StockLevel) -> Fields:
    """What is sent for a level. A figure goes with manage_stock, without which it would be ignored; a difference
    without: switched on beside it, an uncounted thing would begin at nothing plus the difference."""
    number = {"id": int(level.external_id)}
    if level.before is not None and level.stock > 0:
        return {**number, "inventory_delta": level.stock - level.before}
    return {**number, "manage_stock": True, "stock_quantity": level.stock}


def mend(level: StockLevel, answer: Fields) -> StockLevel | None:
    """The level that is still to be set after this answer; None where it stands as the law of stock wants it."""
    if "error" in answer:
        return None
    if answer.get("manage_stock") is not True:
        # Switched off by its owner, or "parent": the product's own count, which says nothing of this variation.
        return replace(level, before=None) if relative(level) else None
    shown = int(answer.get("stock_quantity") or 0)
    if shown < 0:
        return replace(level, before=None, stock=0)
    return replace(level, before=shown) if shown > level.stock else None


def path_of(parent: str | None) -> str:
    """Where things below this product are changed, simple products where there is none."""
    return f"products/{parent}/variations" if parent else "products"


def _too_many(level: StockLevel, answer: Fields) -> bool:
    return answer.get("manage_stock") is True and int(answer.get("stock_quantity") or 0) > level.stock


def _result(level: StockLevel, answer: Fields) -> PushResult:
    if "error" in answer:
        return _refused(level, plain(str(answer["error"].get("message"))))
    if answer.get("manage_stock") is not True:
        words = "it keeps no count. Switch on WooCommerce → Settings → Products → Inventory → “Enable stock management”"
        return _refused(level, words)
    return PushResult(level.key, level.external_id)


def _refused(level: StockLevel, words: str) -> PushResult:
    problem = f"The shop refused the change of {level.external_id}: {words}"
    return PushResult(level.key, level.external_id, problem=problem)


def _lost(level: StockLevel, error: EntrepotError | None) -> PushResult:
    words = str(error) if error else f"The shop changed the stock of {level.external_id} at the same time."
    return PushResult(level.key, level.external_id, problem=words, unknown=True)
