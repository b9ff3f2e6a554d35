"""HTML that goes into a shop's pages: what a seller's pattern and a supplier's text make together, without anything active."""

import html
import re

import nh3

TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "dd", "div", "dl", "dt", "em", "figcaption", "figure",
    "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "li", "ol", "p", "pre", "q", "s", "small", "span", "strong", "sub",
    "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "title"}, "img": {"src", "alt", "width", "height"}, "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"}, "ol": {"start"}, "*": {"title", "lang", "dir", "class"},
}  # fmt: skip
_CLEANER = nh3.Cleaner(
    tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https", "mailto", "tel"}, link_rel=None,
    clean_content_tags={"script", "style"},
)  # fmt: skip
_TAG = re.compile(r"<[a-zA-Z/]")


def clean_markup(markup: str) -> str:
    """The harmless part of HTML: no scripts, styles, forms or handlers; addresses of the web, mail and telephones only.

    Of the shop's own theme `class` is kept, which only its seller's pattern can name: suppliers' were removed before.
    """
    return _CLEANER.clean(markup)


def as_markup(text: str) -> str:
    """A supplier's description inside HTML: as it is where it is HTML, else as plain text with its lines."""
    if _TAG.search(text):
        return text
    return html.escape(text, quote=False).replace("\n", "<br>")
