"""Categories of suppliers in the words of Google's taxonomy: known by number, path or a person, else proposed to one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg import Cursor

from core.clock import now
from core.database import SET_SECONDS, Database, UnitOfWork
from core.errors import Refused
from core.tables import AuditRecord
from models.events import CategoryChosen
from pipelines.catalogue.category_words import Proposals
from pipelines.catalogue.lock import lock_catalogue

LONGEST_PATH = 500
"""Characters; a longer path is no path, and PostgreSQL's indexes take 2,704 bytes."""
MOST_PROPOSED = 20_000
"""New paths of one merge that get a proposal; a file with more has no categories but texts."""
LINE = re.compile(r"(\d{1,9}) - (\S.*)")

# What a file's own path is: a number of the taxonomy, a path of it, or what persons said it means; else it waits.
LEARN = """
INSERT INTO taxonomy_choice (supplier_id, path, taxonomy_id, how, confidence)
SELECT n.supplier_id, n.path, coalesce(i.id, e.id, l.taxonomy_id),
  CASE WHEN coalesce(i.id, e.id) IS NOT NULL THEN 'exact' WHEN l.taxonomy_id IS NOT NULL THEN 'learned' ELSE 'proposal' END,
  CASE WHEN coalesce(i.id, e.id, l.taxonomy_id) IS NOT NULL THEN 1 ELSE 0 END
FROM (SELECT DISTINCT supplier_id, category AS path FROM {offers} WHERE category <> '' AND length(category) <= %(longest)s) n
LEFT JOIN taxonomy_category i ON i.id = CASE WHEN n.path ~ '^[0-9]{{1,9}}$' THEN n.path::int END
LEFT JOIN LATERAL (
  SELECT t.id FROM taxonomy_category t WHERE lower(t.path) = lower(regexp_replace(n.path, '\\s*>\\s*', ' > ', 'g')) LIMIT 1) e ON true
LEFT JOIN LATERAL (
  SELECT c.taxonomy_id FROM taxonomy_choice c WHERE lower(c.path) = lower(n.path) AND c.how = 'person' AND c.taxonomy_id IS NOT NULL
  GROUP BY c.taxonomy_id ORDER BY count(*) DESC, max(c.changed_at) DESC LIMIT 1) l ON true
WHERE NOT EXISTS (SELECT FROM taxonomy_choice c WHERE c.supplier_id = n.supplier_id AND c.path = n.path)
ORDER BY n.supplier_id, n.path
ON CONFLICT DO NOTHING
RETURNING path, how"""

# A product's category is its first variant's; the supplier is that of the offer that speaks for it.
SPEAKING = """(
  SELECT DISTINCT ON (v.product_id) v.product_id, o.supplier_id FROM variant v JOIN offer o ON o.id = v.best_offer_id
  WHERE v.product_id IN (SELECT p.id FROM product p WHERE {of}) ORDER BY v.product_id, v.id)"""
SETTLE = """
UPDATE product p SET taxonomy_id = c.taxonomy_id
FROM {speaking} s JOIN product q ON q.id = s.product_id
LEFT JOIN taxonomy_choice c ON c.supplier_id = s.supplier_id AND c.path = q.category AND c.how <> 'proposal'
WHERE p.id = s.product_id AND p.taxonomy_id IS DISTINCT FROM c.taxonomy_id"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading a taxonomy did: how many categories it has, and how many paths of suppliers wait for a person."""

    categories: int
    removed: int
    waiting: int


def read_taxonomy(lines: Iterable[str]) -> list[tuple[int, str]]:
    """Google's file "id - A > B" (https://www.google.com/basepages/producttype/taxonomy-with-ids.en-US.txt).

    Raises Refused naming the first line that is none.
    """
    found: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip().lstrip("\ufeff")
        if not text or text.startswith("#"):
            continue
        match = LINE.fullmatch(text)
        if match is None:
            raise Refused(
                f"Line {number} of the taxonomy is {text[:60]!r}: each line is like '4636 - Home & Garden > Lighting > Lamps'.",
                rule="taxonomy_invalid",
            )
        found[int(match[1])] = match[2]
    if not found:
        raise Refused("The file has no category: take the list with numbers that Google publishes.", rule="taxonomy_invalid")  # fmt: skip
    return list(found.items())


def load(uow: UnitOfWork, categories: list[tuple[int, str]]) -> Loaded:
    """Makes this the taxonomy. What persons chose stays; a choice whose category is no longer there waits again."""
    uow.allow(SET_SECONDS)
    cursor = uow.cursor()
    lock_catalogue(cursor)
    numbers, paths = [one for one, _ in categories], [path for _, path in categories]
    cursor.execute(
        """INSERT INTO taxonomy_category (id, path) SELECT * FROM unnest(%s::int[], %s::text[])
           ON CONFLICT (id) DO UPDATE SET path = excluded.path""",
        [numbers, paths],
    )
    cursor.execute(
        """UPDATE taxonomy_choice SET taxonomy_id = NULL, how = 'proposal', confidence = 0
           WHERE taxonomy_id IS NOT NULL AND NOT taxonomy_id = ANY(%s)""",
        [numbers],
    )
    cursor.execute("ANALYZE taxonomy_category")  # or a path would be compared with each of the thousands
    removed = cursor.execute("DELETE FROM taxonomy_category WHERE NOT id = ANY(%s)", [numbers]).rowcount
    cursor.execute("DELETE FROM taxonomy_choice WHERE how = 'proposal'")
    learn(cursor, "(SELECT supplier_id, category FROM offer WHERE state = 'offered') every")
    settle(cursor, "true")
    row = cursor.execute("SELECT count(DISTINCT lower(path)) FROM taxonomy_choice WHERE how = 'proposal'").fetchone()  # fmt: skip
    return Loaded(len(categories), removed, int(row[0]) if row else 0)


def classify(cursor: Cursor[Any], offers: str, products: str) -> None:
    """What a merge asks for: new paths of `offers` are taken down, the `products` get their category.

    Both are SQL of our own, see `learn` and `settle`. Costs one look where no taxonomy is loaded.
    """
    if cursor.execute("SELECT FROM taxonomy_category LIMIT 1").fetchone() is not None:
        learn(cursor, offers)
        settle(cursor, products)


def learn(cursor: Cursor[Any], offers: str) -> None:
    """Takes down what each path is that these offers bring for the first time.

    `offers` is SQL of our own for a table with supplier_id and category. The catalogue is locked by the caller.
    """
    rows = cursor.execute(LEARN.format(offers=offers), {"longest": LONGEST_PATH}).fetchall()
    unknown = list(dict.fromkeys(path for path, how in rows if how == "proposal"))[:MOST_PROPOSED]
    if not unknown:
        return
    proposals = _proposals(tuple(cursor.execute("SELECT id, path FROM taxonomy_category ORDER BY id").fetchall()))  # fmt: skip
    near = [(path, *found) for path in unknown if (found := proposals.nearest(path))]
    if near:
        cursor.execute(
            """UPDATE taxonomy_choice c SET taxonomy_id = n.id, confidence = n.sure
               FROM unnest(%s::text[], %s::int[], %s::numeric[]) AS n (path, id, sure)
               WHERE c.path = n.path AND c.how = 'proposal'""",
            [list(column) for column in zip(*near, strict=True)],
        )


def settle(cursor: Cursor[Any], of: str, **values: Any) -> None:
    """Gives products their category; only what differs is written. `of` is SQL of our own that says which products `p`."""
    cursor.execute(SETTLE.format(speaking=SPEAKING.format(of=of)), values or None)


def choose(
    uow: UnitOfWork, path: str, taxonomy_id: int | None, actor: str, supplier_id: int | None = None
) -> int:
    """Says what a supplier's path means (None: no category fits); other suppliers' same path learns from it.

    Without a supplier it is said for all that use the path. How many suppliers' paths are settled by it; the products
    follow by themselves. Raises Refused where nobody uses the path, or the category is not there.
    """
    cursor = uow.cursor()
    if taxonomy_id is not None:
        there = cursor.execute("SELECT path FROM taxonomy_category WHERE id = %s", [taxonomy_id]).fetchone()
        if there is None:
            raise Refused(f"The taxonomy has no category {taxonomy_id}: `entrepot taxonomy find WORDS` finds one.", rule="not_found")  # fmt: skip
    facts = {"path": path, "id": taxonomy_id, "supplier": supplier_id, "now": now()}
    said = cursor.execute(
        """UPDATE taxonomy_choice SET taxonomy_id = %(id)s, how = 'person', confidence = 1, changed_at = %(now)s
           WHERE lower(path) = lower(%(path)s) AND (%(supplier)s::int IS NULL OR supplier_id = %(supplier)s)""",
        facts,
    ).rowcount
    if not said:
        raise Refused(f"No offer has the category {path!r}: `entrepot taxonomy list` shows those there are.", rule="not_found")  # fmt: skip
    learned = 0
    if taxonomy_id is not None:
        learned = cursor.execute(
            """UPDATE taxonomy_choice SET taxonomy_id = %(id)s, how = 'learned', confidence = 1, changed_at = %(now)s
               WHERE lower(path) = lower(%(path)s) AND how IN ('proposal', 'learned')""",
            facts,
        ).rowcount
    means = (
        f"{taxonomy_id} - {there[0]}" if taxonomy_id is not None and there else "no category of the taxonomy"
    )
    uow.session.add(
        AuditRecord(
            actor=actor, act="category chosen", subject=f"category:{path}", words=f"{path} means {means}.",
            facts={"taxonomy_id": taxonomy_id, "supplier_id": supplier_id},
        )
    )  # fmt: skip
    uow.emit(CategoryChosen(tenant=supplier_id or 1, lane="taxonomy", path=path))
    return said + learned


def settle_chosen(event: CategoryChosen, db: Database) -> None:
    """Gives the products of one path the category that was chosen for it."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        cursor = uow.cursor()
        lock_catalogue(cursor)
        settle(cursor, "lower(p.category) = lower(%(path)s)", path=event.path)


@lru_cache(1)
def _proposals(categories: tuple[tuple[int, str], ...]) -> Proposals:
    """Made once for a taxonomy: a large feed's every piece may bring new paths."""
    return Proposals(categories)
