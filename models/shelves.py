"""What a shop can still sell of a listing, as far as we know: lowered as orders come, unknown once the shop itself moved it.

`sent->'stock'` is never less than what the shop shows and what it sold unseen. Plans, pushes and orders change it from
several sides at once; these words keep it so. Whoever needs locks takes shops first, then offers, then listings, by id.
"""

from collections.abc import Collection, Mapping
from typing import Any

from psycopg import Cursor

UNKNOWN = "l.sent->'stock' = 'null'"
"""Whether it must be read, and its shop's orders swept after that, before a figure may be sent (listing `l`)."""

SENT = "greatest(0, (l.sent->>'stock')::int, l.sending)"
"""The figure that listing `l` has in its shop, or gets with the call that is out (greatest() does not mind NULLs)."""

EXPOSED = f"""CASE WHEN ({UNKNOWN}) IS TRUE THEN l.sending
      ELSE greatest(0, {SENT}, l.lowered_from + {SENT} - coalesce((l.sent->>'stock')::int, 0)) END"""
"""The most that listing `l` can still sell in its shop, or sold unseen; NULL where nobody can say.

What was sent or is on its way; and where less was sent than before, what it was before and what it was raised by since:
until a sweep nobody knows how much of that was sold already."""

LOCKED = """
SELECT l.id, l.variant_id FROM listing l WHERE l.shop_id = %s AND l.variant_id = ANY(%s) ORDER BY l.id FOR NO KEY UPDATE"""

SOLD = """
UPDATE listing l SET
  sent = CASE WHEN jsonb_typeof(sent->'stock') = 'number'
    THEN jsonb_set(sent, '{stock}', to_jsonb(greatest(0, (sent->>'stock')::int - n.pieces))) ELSE sent END,
  wanted = CASE WHEN wanted IS NOT NULL
    THEN jsonb_set(wanted, '{stock}', to_jsonb(greatest(0, (wanted->>'stock')::int - n.pieces))) END,
  sending = CASE WHEN sending IS NOT NULL THEN greatest(0, sending - n.pieces) END,
  lowered_from = CASE WHEN lowered_from IS NOT NULL THEN greatest(0, lowered_from - n.pieces) END
FROM unnest(%s::int[], %s::int[]) AS n(id, pieces) WHERE l.id = n.id"""
"""What is wanted falls too: until it is decided anew, nobody shall put back what a buyer took."""

FORGOTTEN = f"""
UPDATE listing l SET sending = CASE WHEN ({UNKNOWN}) IS TRUE THEN l.sending + n.pieces
    ELSE greatest((l.sent->>'stock')::int, l.sending, l.lowered_from) + n.pieces END, lowered_from = NULL,
  sent = jsonb_set(l.sent, '{{stock}}', 'null'), seen = NULL, seen_at = NULL, sent_at = clock_timestamp()
FROM unnest(%s::int[], %s::int[]) AS n(id, pieces) WHERE l.id = n.id AND l.sent IS NOT NULL"""  # noqa: S608 - our own words
"""`sent_at` moves, so that whoever read the shop before this does not take it for the present."""


def lock_listings(cursor: Cursor[Any], shop_id: int, variant_ids: Collection[int]) -> dict[int, int]:
    """Locks a shop's listings of these variants, in id order; their ids by variant."""
    found = cursor.execute(LOCKED, [shop_id, sorted(set(variant_ids))]).fetchall()
    return {variant_id: listing_id for listing_id, variant_id in found}


SHORT = """
SELECT l.id FROM listing l JOIN unnest(%s::int[], %s::int[]) AS n(id, pieces) ON l.id = n.id
WHERE l.id = ANY(%s) AND (l.sent->>'stock')::int < n.pieces"""
"""Listings of which less was left than was taken."""


def moved_by_orders(
    cursor: Cursor[Any], shop_id: int, moved: Mapping[int, int], late: Collection[int] = ()
) -> list[int]:
    """Pieces by variant that a shop's orders took (more than 0), or gave back (less), since we last asked it; the variants
    of which nobody knows any more what the shop shows.

    What was taken lowers what the shop can still sell, so that it is not taken for drift. What was given back the shop
    put on its own shelf, or did not: nobody knows until it is read. Nor does anybody where `late` pieces, which a shop
    counts off for an order that was known long before and is paid only now, are more than it had left: then it stands
    below nothing, and a difference sent to it would be swallowed.
    """
    listings = lock_listings(cursor, shop_id, moved)
    sold = [(listings[each], n) for each, n in moved.items() if n > 0 and each in listings]
    back = [(listings[each], -n) for each, n in moved.items() if n < 0 and each in listings]
    columns = [[row[0] for row in sold], [row[1] for row in sold]]
    paid = [listings[each] for each in late if each in listings]
    short = cursor.execute(SHORT, [*columns, paid]).fetchall() if sold and paid else []
    if sold:
        cursor.execute(SOLD.encode(), columns)
    back += [(listing_id, 0) for (listing_id,) in short]
    if back:
        cursor.execute(FORGOTTEN.encode(), [[row[0] for row in back], [row[1] for row in back]])
    unknown = {row[0] for row in back}
    return sorted(variant_id for variant_id, listing_id in listings.items() if listing_id in unknown)


def forget(cursor: Cursor[Any], shop_id: int, variant_ids: Collection[int]) -> None:
    """The shop may show what it likes of these: they are read, and its orders swept, before they are sent anew."""
    listings = sorted(lock_listings(cursor, shop_id, variant_ids).values())
    cursor.execute(FORGOTTEN.encode(), [listings, [0] * len(listings)])
