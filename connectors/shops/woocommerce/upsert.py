"""Brings many products, or the variations of one product, into the shop: batches, mended refusals, lost answers."""

from collections import deque
from collections.abc import Iterator, Sequence

import orjson

from connectors.shops.woocommerce.client import BATCH, Rest
from connectors.shops.woocommerce.entry import Entry, Fields
from connectors.shops.woocommerce.mapping import key_of
from core.errors import EntrepotError, Refused, Temporary, Unknown

LARGEST_CALL = 900_000
"""Bytes of one call: many web servers take 1 MB by default."""
NEW_PICTURES = 30
"""Pictures one call makes the shop fetch: it fetches them inside the call, one after the other."""
STILL = 1.0
"""Seconds after which a call that was given up is done with the one thing it was at."""
LOST = 2
"""Lost answers about one thing before it is reported as unknown."""


class Upsert:
    """`path` is "products" or "products/{id}/variations". Pictures fetched once are known to all later batches."""

    def __init__(self, rest: Rest, path: str, library: dict[str, str], dead: dict[str, str]) -> None:
        self._rest, self._path, self._library, self._dead = rest, path, library, dead
        self._size = BATCH

    def settle(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        """Yields each entry once, as soon as it has an id or a problem.

        An answer that was lost is looked up by SKU before anything is sent again; the shop's own rule that a SKU is
        unique, also while an earlier call is still at work, makes doubles of products impossible. It holds no lock for a
        variation: what was doubled is looked for at the end and taken away. Where the look-up fails too the entries are
        yielded as unknown and its error is raised.
        """
        queue = deque(entries)
        while queue:
            some = self._next_batch(queue)
            try:
                answers = self._rest.batch(self._path, [entry.wish() for entry in some])
            except Unknown as error:
                yield from self._after_loss(some, queue, error)
                continue
            except Refused as error:
                yield from self._after_refusal(some, queue, error)
                continue
            yield from self._learn(some, answers, queue)
        again = [one for one in entries if one.parent is not None and one.lost and one.id is not None]
        if again:
            self._undouble(again)

    def _undouble(self, entries: list[Entry]) -> None:
        """Takes away what a call that was given up made beside the same call when it was made again: both ask whether the
        SKU is free, and then both make it (class-wc-product-variation-data-store-cpt.php, create)."""
        self._rest.wait(STILL)
        ours: dict[tuple[str | None, int], int | None] = {
            (one.key, one.parent or 0): one.id for one in entries
        }
        doubled = [
            int(found["id"])
            for found in self._rest.by_sku([entry.sku for entry in entries])
            if ours.get((key_of(found), int(found.get("parent_id") or 0)), int(found["id"]))
            != int(found["id"])
        ]
        if doubled:
            self._rest.remove(self._path, doubled)

    def _next_batch(self, queue: deque[Entry]) -> list[Entry]:
        """As many as fit into one call. Two that want the same new picture go one after the other: it is fetched once."""
        some: list[Entry] = []
        passed: list[Entry] = []
        size, fetched = 0, set[str]()
        while queue and len(some) < self._size:
            entry = queue.popleft()
            self._share(entry)
            fresh = set(entry.fresh())
            size += len(orjson.dumps(entry.wish()))
            full = size > LARGEST_CALL or len(fetched) + len(fresh) > NEW_PICTURES
            if some and full:
                queue.appendleft(entry)
                break
            if fresh & fetched:
                passed.append(entry)
                continue
            fetched |= fresh
            some.append(entry)
        queue.extendleft(reversed(passed))
        return some

    def _share(self, entry: Entry) -> None:
        for url in entry.fresh():
            if self._library.get(url) not in {None, *entry.stale}:
                entry.picture_ids[url] = self._library[url]
            elif url in self._dead:
                entry.refuse_picture(url, self._dead[url])

    def _learn(self, some: list[Entry], answers: list[Fields], queue: deque[Entry]) -> Iterator[Entry]:
        blocked = []
        for entry, answer in zip(some, answers, strict=True):
            verdict = entry.take(answer)
            self._library |= entry.picture_ids
            self._dead |= {
                key[6:]: words for key, words in entry.problems.items() if key.startswith("image:")
            }
            if verdict == "done":
                yield entry
            elif verdict == "again":
                queue.append(entry)
            else:
                blocked.append(entry)
        if blocked:
            yield from self._unblock(blocked, queue)

    def _unblock(self, blocked: list[Entry], queue: deque[Entry]) -> Iterator[Entry]:
        """Their SKUs are held by others: ours are adopted and brought up to date, strangers' are left alone.

        One in the trash keeps its SKU and is seen in the trash's own list only; sending it again restores it.
        """
        holders = self._holders(blocked)
        hidden = [entry for entry in blocked if entry.sku.casefold() not in holders]
        if hidden:
            holders |= self._holders(hidden, trash=True)
        for entry in blocked:
            holder = holders.get(entry.sku.casefold())
            if (holder is not None and entry.adopt(holder)) or entry.half_made(holder):
                queue.append(entry)
            elif (
                holder is not None and entry.id is not None and int(holder.get("parent_id") or 0) == entry.id
            ):
                self._free(entry.id, int(holder["id"]))
                queue.append(entry)
            else:
                entry.give_up(_held_by(entry.sku, holder))
                yield entry

    def _free(self, product: int, variation: int) -> None:
        """A product that was variable and is simple now: its own old variation still holds the SKU."""
        try:
            self._rest.batch(
                f"products/{product}/variations", [{"id": variation, "sku": "", "status": "private"}]
            )
        except Unknown as error:
            raise Temporary(f"An old variation may still hold its SKU: {error}") from None

    def _after_loss(self, some: list[Entry], queue: deque[Entry], error: Unknown) -> Iterator[Entry]:
        """The shop may have done all of it, and may still be at it."""
        self._size = max(1, len(some) // 2)
        try:
            holders = self._holders(some)
        except EntrepotError:
            for entry in some:
                yield _lost(entry, error)
            raise
        for entry in some:
            entry.lost += 1
            holder = holders.get(entry.sku.casefold())
            if holder is not None:
                entry.adopt(holder)
            if entry.lost > LOST:
                yield _lost(entry, error)
            else:
                queue.append(entry)

    def _after_refusal(self, some: list[Entry], queue: deque[Entry], error: Refused) -> Iterator[Entry]:
        """The call as a whole was refused, and nothing was done."""
        if error.rule == "too_large" and len(some) > 1:
            self._size = len(some) // 2
            queue.extendleft(reversed(some))
            return
        for entry in some:
            entry.give_up(str(error))
            yield entry

    def _holders(self, entries: list[Entry], *, trash: bool = False) -> dict[str, Fields]:
        found = self._rest.by_sku([entry.sku for entry in entries], trash=trash)
        return {str(holder.get("sku")).casefold(): holder for holder in found}


def _lost(entry: Entry, error: Unknown) -> Entry:
    entry.unknown = True
    entry.give_up(str(error))
    return entry


def _held_by(sku: str, holder: Fields | None) -> str:
    if holder is None:
        return (
            f"SKU {sku} is held by a product that the shop no longer shows; run WooCommerce → Status → Tools → “Product "
            "lookup tables”, or sell it under another SKU."
        )
    trash = holder.get("status") == "trash"
    place, advice = (
        (" in this shop's trash", "empty the trash")
        if trash
        else (" in this shop", "change that product's SKU")
    )
    return f"SKU {sku} is already used by another product (id {holder['id']}){place}; {advice}, or sell it under another SKU."
