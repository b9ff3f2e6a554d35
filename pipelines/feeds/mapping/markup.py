"""HTML from strangers: an allow-list, and whether anything that matters was lost to it."""

import html
import re

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
_OPENING = re.compile(r"<[a-zA-Z/]")
_TAG_PARTS = re.compile(r"""<(/?)([a-zA-Z][^\s/<>"']*)((?:"[^"<]*"|'[^'<]*'|[^'"<>])*)>""")
_ATTRIBUTE = re.compile(r"""([^\s=/>"']+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]*))?""")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.I)
_VOID = {"br", "hr", "img", "col"}
_SWALLOWED = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)", re.I | re.S)


def cleaned(markup: str) -> tuple[str, bool]:
    """(harmless HTML, whether more than inert hooks was taken out). Text without tags stays as it is."""
    openings = len(_OPENING.findall(markup))
    if not openings:
        return markup, False
    tags = _TAG_PARTS.findall(markup)
    if len(tags) == openings == markup.count("<") and _is_plain(tags):
        return markup.strip(), False
    safe = nh3.clean(
        markup,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel=None,
        clean_content_tags={"script", "style"},
    )
    return safe.strip(), len(tags) < openings or any(
        _loses(name.lower(), rest) for end, name, rest in tags if not end
    )


def bare_text(markup: str) -> str:
    """The text of a title that came with tags or entities."""
    plain = _TAG.sub(" ", _SWALLOWED.sub(" ", markup)) if _OPENING.search(markup) else markup
    return html.unescape(plain)


def _is_plain(tags: list[tuple[str, str, str]]) -> bool:
    """Only harmless tags without attributes, each closed in its turn: what the sanitiser would leave as it is."""
    opened: list[str] = []
    for end, name, rest in tags:
        if name not in TAGS or rest.strip(" /"):
            return False
        if end:
            if not opened or opened.pop() != name:
                return False
        elif name not in _VOID:
            opened.append(name)
    return not opened


def _loses(tag: str, rest: str) -> bool:
    """Whether the allow-list takes anything that matters: an element, a style, an event handler, an address."""
    if tag not in TAGS:
        return tag not in _INERT_TAGS
    allowed = ATTRIBUTES.get(tag, set()) | ATTRIBUTES["*"]
    for written, value in _ATTRIBUTE.findall(rest):
        name = written.lower()
        if name in allowed:
            scheme = _SCHEME.match(html.unescape(value).strip("\"' \t\r\n"))
            if name in ("href", "src") and scheme and scheme[1].lower() not in _SCHEMES:
                return True
        elif name not in _INERT_ATTRIBUTES and not name.startswith(("data-", "aria-")):
            return True
    return False
