"""What the Categories page, the API and the command line show of suppliers' paths and the taxonomy."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.taxonomy import TaxonomyCategory
from web.tables import ROWS

PATHS = """
SELECT min(c.path) AS path, min(c.how) AS how, array_agg(DISTINCT s.name ORDER BY s.name) AS suppliers,
  min(c.taxonomy_id) AS taxonomy_id, min(t.path) AS category, max(c.confidence)::float AS confidence, coalesce(max(n.products), 0) AS products
FROM taxonomy_choice c JOIN company s ON s.id = c.supplier_id LEFT JOIN taxonomy_category t ON t.id = c.taxonomy_id
LEFT JOIN (SELECT lower(category) AS path, count(*) AS products FROM product WHERE category IS NOT NULL GROUP BY 1) n ON n.path = lower(c.path)
WHERE (%(how)s = '' OR c.how = %(how)s) AND (%(q)s = '' OR c.path ILIKE %(like)s)
GROUP BY lower(c.path)
ORDER BY coalesce(max(n.products), 0) DESC, lower(c.path) LIMIT %(limit)s OFFSET %(start)s"""


def paths(cursor: Any, how: str = "", q: str = "", start: int = 0, limit: int = ROWS) -> list[dict[str, Any]]:
    """Suppliers' paths, those with most products first: what each means, how that is known, and who uses it."""
    like = "%" + q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    facts = {"how": how, "q": q, "like": like, "start": start, "limit": limit}
    rows = cursor.execute(PATHS, facts)
    names = [column.name for column in rows.description]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def path_states(cursor: Any) -> dict[str, int]:
    """how it is known -> how many paths."""
    rows = cursor.execute("SELECT how, count(DISTINCT lower(path)) FROM taxonomy_choice GROUP BY how")
    return dict(rows.fetchall())


def found_categories(session: Session, words: str, limit: int = 20) -> list[Any]:
    """Categories whose path has all the words, or whose number it is; the shortest paths first."""
    wanted = words.split()
    if not wanted:
        return []
    query = select(TaxonomyCategory.id, TaxonomyCategory.path)
    if len(wanted) == 1 and wanted[0].isdecimal() and len(wanted[0]) < 10:
        query = query.where(TaxonomyCategory.id == int(wanted[0]))
    else:
        query = query.where(*(TaxonomyCategory.path.icontains(word, autoescape=True) for word in wanted[:8]))
    return list(session.execute(query.order_by(func.length(TaxonomyCategory.path), TaxonomyCategory.path).limit(limit)).mappings())  # fmt: skip


def how_many(session: Session) -> int:
    """How many categories the loaded taxonomy has; 0: none is loaded."""
    return session.scalar(select(func.count()).select_from(TaxonomyCategory)) or 0
