"""How WooCommerce mangles text and numbers on their way in: pure functions, each a trap a client must know.

Sources: the transcripts (prices, script tags), WordPress' kses and sanitize_title as documented on
developer.wordpress.org.
"""

import html.entities
import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import quote

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s[^<>]*)?/?)>")
_EVENT = re.compile(r"""\s+on\w+\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:(#\d{1,7}|#[xX][0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]*));")
_TAGS = """a abbr acronym address area article aside audio b bdo big blockquote br button caption cite code col
    colgroup dd del details dfn div dl dt em fieldset figcaption figure font footer h1 h2 h3 h4 h5 h6 header
    hgroup hr i img ins kbd label legend li main map mark menu nav ol p picture pre q rb rp rt rtc ruby s samp
    section small source span strike strong sub summary sup table tbody td tfoot th thead time title tr track
    tt u ul var video"""
_ALLOWED = frozenset(_TAGS.split())
SYMBOLS = {"EUR": "&euro;", "USD": "&#36;", "GBP": "&pound;", "CHF": "&#67;&#72;&#70;", "PLN": "&#122;&#322;"}
NAMES = {
    "EUR": "Euro",
    "USD": "United States (US) dollar",
    "GBP": "Pound sterling",
    "CHF": "Swiss franc",
    "PLN": "Polish z&#x142;oty",
}


def kses(text: str) -> str:
    """HTML as the post filter leaves it: forbidden tags go and their content stays; & < > become entities."""
    kept, rest = [], 0
    for found in _TAG.finditer(text):
        kept.append(_entities(text[rest : found.start()]))
        if found[2].lower() in _ALLOWED:
            kept.append(f"<{found[1]}{found[2]}{_EVENT.sub('', found[3])}>")
        rest = found.end()
    kept.append(_entities(text[rest:]))
    return "".join(kept)


def clean(text: Any) -> str:
    """One line of plain text (`wc_clean`): no tags, no runs of blanks, trimmed."""
    return " ".join(_TAG.sub("", str(text)).split())


def paragraphs(text: str) -> str:
    """A description as it is read back, of WordPress' wpautop what matters to a client: a line break at its end, and
    paragraphs around words that stand in none."""
    if not text.strip() or text.rstrip().endswith("</p>"):
        return f"{text.strip()}\n" if text.strip() else ""
    found = [part.strip() for part in re.split(r"\n\s*\n", text.strip())]
    return "".join(part if part.startswith("<") else f"<p>{part}</p>\n" for part in found)


def slug(text: str) -> str:
    """The part of an address made from a title."""
    plain = _ENTITY.sub("", _TAG.sub("", text)).replace("ß", "ss")
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c)).lower()
    plain = re.sub(r"[^\w\s-]", "", plain.replace(".", "-").replace("/", "-"))
    return quote(re.sub(r"[\s-]+", "-", plain).strip("-")).lower()


def decimal_text(value: Any) -> str:
    """A price, weight or length as stored (`wc_format_decimal`): "12,50" -> "1250", "abc" -> "", 4.5 -> "4.5"."""
    if value is None:
        return ""
    if isinstance(value, float):
        return format(Decimal(repr(value)).normalize(), "f")
    return re.sub(r"\.(?![^.]+$)|[^0-9.-]", "", clean(value))


def as_decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text) if text else None
    except ArithmeticError:
        return None


def rounded(amount: Decimal, places: int = 2) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def price_html(amount: Decimal, currency: str, *, hidden: bool = False) -> str:
    """The amount as the shop front shows it."""
    attribute = ' aria-hidden="true"' if hidden else ""
    return (
        f'<span class="woocommerce-Price-amount amount"{attribute}><bdi>'
        f'<span class="woocommerce-Price-currencySymbol" translate="no">{symbol(currency)}</span>'
        f"{rounded(amount):,}</bdi></span>"
    )


def symbol(currency: str) -> str:
    return SYMBOLS.get(currency, currency)


def _entities(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        known = found[1] or found[2] in html.entities.name2codepoint or found[2] == "apos"
        return found[0] if known else "&amp;" + found[0][1:]

    parts, rest = [], 0
    for found in _ENTITY.finditer(text):
        parts += [text[rest : found.start()].replace("&", "&amp;"), one(found)]
        rest = found.end()
    parts.append(text[rest:].replace("&", "&amp;"))
    return "".join(parts).replace("<", "&lt;").replace(">", "&gt;")
