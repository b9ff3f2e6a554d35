"""Turns a template and values into a page: the Jinja environment, its filters, and the addresses of static files."""

import hashlib
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from core.clock import now
from core.money import Money
from web import formats
from web.charts import HEIGHT, WIDTH, stack
from web.chips import chip
from web.queries.undecided import spoken

WEB = Path(__file__).resolve().parent
STATIC = WEB / "static"


@cache
def static_version() -> str:
    """A short hash over all static files: the same files have the same address, in every process."""
    digest = hashlib.sha256()
    for file in sorted(STATIC.rglob("*")):
        if file.is_file() and not file.name.startswith("."):
            digest.update(file.relative_to(STATIC).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@cache
def assets_there() -> bool:
    """Whether `python -m web.assets` has been run."""
    return (STATIC / "vendor" / "tabler.css").is_file() and (STATIC / "vendor" / "icons.svg").is_file()


def static(path: str) -> str:
    """The address of a static file."""
    return f"/static/{static_version()}/{path}"


def icon(name: str, extra: str = "") -> Markup:
    """An icon of the sprite; it never stands without a word beside it."""
    return Markup(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>'
    ).format(extra, static("vendor/icons.svg"), name)


@cache
def environment() -> Environment:
    """Everything is escaped; a name that is not there is an error and not an empty place."""
    made = Environment(
        loader=FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        static=static,
        icon=icon,
        chip_of=chip,
        stack=stack,
        assets_there=assets_there,
        SPARK_WIDTH=WIDTH,
        SPARK_HEIGHT=HEIGHT,
    )
    made.filters.update(
        num=_num,
        money=_money,
        cash=_cash,
        round_cost=_round_cost,
        size=_size,
        span=_span,
        share=_share,
        ago=_ago,
        exact=formats.exact,
        iso=_iso,
        plural=plural,
        spoken=spoken,
        moved=moved,
    )
    return made


def render(template: str, values: dict[str, Any]) -> str:
    """The finished page."""
    return environment().get_template(template).render(values)


@pass_context
def _num(context: Context, value: int | Decimal | None) -> str:
    return formats.number(value, context.get("locale", "en"))


@pass_context
def _money(context: Context, amount: str | Decimal | None, currency: str | None = None) -> str:
    return formats.money(amount, currency, context.get("locale", "en"))


@pass_context
def _cash(context: Context, minor: int | None, currency: str, named: bool = True) -> str:
    """Minor units as a person reads them: -1250, "EUR" → "−12.50 EUR"."""
    if minor is None:
        return "–"
    amount = formats.money(
        Money(minor, currency).amount, currency if named else None, context.get("locale", "en")
    )
    return amount.replace("-", "\u2212")


def _round_cost(value: Decimal | int | str | None) -> Decimal | None:
    """A cost as exact as it is, with two places at least: 10, 10.005000 → 10.00, 10.005. None stays None."""
    if value is None:
        return None
    exact = Decimal(value).normalize()
    return exact if exact.as_tuple().exponent < -2 else exact.quantize(Decimal("0.01"))  # type: ignore[operator]


@pass_context
def _size(context: Context, count: int | None) -> str:
    return formats.size(count, context.get("locale", "en"))


@pass_context
def _span(context: Context, seconds: float | None) -> str:
    return formats.duration(seconds, context.get("locale", "en"))


@pass_context
def _share(context: Context, part: int, whole: int) -> str:
    return formats.percent(part, whole, context.get("locale", "en"))


def _ago(moment: datetime | None) -> str:
    return formats.ago(moment, now())


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def moved(pair: list[Any]) -> str:
    """[10, 12.5] → "+25 %": by how much a number moves; "" where it is none."""
    percent = formats.move(*pair)
    if percent is None:
        return ""
    return (f"{percent:+.0f} %" if abs(percent) >= 1 else f"{percent:+.1f} %").replace("-", "\u2212")


def plural(count: int, one: str, many: str | None = None) -> str:
    """1, "run" → "run"; 2, "run" → "runs"."""
    return one if count == 1 else many or one + "s"
