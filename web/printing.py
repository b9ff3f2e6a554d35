"""A supplier's statement as a page to print or keep: whole in itself when written to a file, linked when served."""

from markupsafe import Markup

from core.money import Money
from pipelines.settlement.statement import Paper
from web.rendering import STATIC, render, static

SHEET = "statement.css"


def statement_page(paper: Paper, *, served: bool = False, locale: str = "en") -> str:
    """The statement as HTML. Not `served`, its style stands in the page itself, so that the file needs nothing else."""
    style = "" if served else Markup((STATIC / SHEET).read_text())  # noqa: S704 - our own file
    into = sum(row.into.minor for row in paper.rows if row.into)
    out = sum(row.out.minor for row in paper.rows if row.out)
    currency = paper.opening.currency
    return render(
        "statement_print.html",
        {
            "paper": paper,
            "into": Money(into, currency),
            "out": Money(out, currency),
            "style": style,
            "sheet": static(SHEET),
            "locale": locale,
        },
    )
