"""HTML from strangers: an allow-list, and whether anything that matters was lost to it."""

import html
import re
from html.parser import HTMLParser

import nh3

TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del", "div", "dl", "dt",
    "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "li", "ol", "p", "pre",
    "q", "s", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "title"}, "img": {"src", "alt", "width", "height"}, "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"}, "ol": {"start"}, "*": {"title", "lang", "dir"},
}  # fmt: skip
_SCHEMES = {"http", "https", "mailto", "tel"}
# Hooks for a page's own styles and scripts: meaningless elsewhere, so losing them is no remark to the supplier.
_INERT_ATTRIBUTES = {
    "class", "id", "name", "target", "rel", "role", "itemprop", "itemscope", "itemtype", "itemid", "tabindex",
    "xmlns", "align", "valign", "border", "cellpadding", "cellspacing", "srcset", "sizes", "loading",
}  # fmt: skip
_INERT_TAGS = {
    "html",
    "body",
    "head",
    "meta",
    "section",
    "article",
    "center",
    "font",
    "main",
    "header",
    "footer",
    "o:p",
}
_TAG = re.compile(r"<[^<>]*>")
_WATCHED = 100_000  # characters; Python's HTML parser is slow on what is built to be slow
_OPENING = re.compile(r"<[a-zA-Z!/?]")
_SWALLOWED = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)", re.I | re.S)


def cleaned(markup: str) -> tuple[str, bool]:
    """(harmless HTML, whether more than inert hooks was taken out). Text without tags stays as it is."""
    if not _OPENING.search(markup):
        return markup, False
    safe = nh3.clean(
        markup,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel=None,
        clean_content_tags={"script", "style"},
    )
    if len(markup) > _WATCHED:
        return safe.strip(), safe != markup
    watcher = _Watcher()
    watcher.feed(markup)
    watcher.close()
    return safe.strip(), watcher.lost


def bare_text(markup: str) -> str:
    """The text of a title that came with tags or entities."""
    plain = _TAG.sub(" ", _SWALLOWED.sub(" ", markup)) if _OPENING.search(markup) else markup
    return html.unescape(plain)


class _Watcher(HTMLParser):
    """Sees whether the allow-list takes anything that matters: an element, a style, an event handler, an address."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lost = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.lost |= tag not in _INERT_TAGS
            return
        allowed = ATTRIBUTES.get(tag, set()) | ATTRIBUTES["*"]
        for name, value in attrs:
            if name in allowed:
                scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", value or "", re.I)
                self.lost |= (
                    name in ("href", "src") and scheme is not None and scheme[1].lower() not in _SCHEMES
                )
            else:
                self.lost |= name not in _INERT_ATTRIBUTES and not name.startswith(("data-", "aria-"))
