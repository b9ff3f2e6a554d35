"""What a visitor's browser sees: the shop front with its products, and the pictures the shop has taken in."""

import html
import mimetypes
from urllib.parse import quote

from sandbox.woocommerce import product_view, text
from sandbox.woocommerce.answers import HTML, Answer, Call, Fields, Refusal
from sandbox.woocommerce.routes import not_simulated
from sandbox.woocommerce.site import Site

_STYLE = """
:root{--ink:#22252b;--soft:#6b7280;--line:#e7e5e0;--paper:#faf9f6;--accent:#7f54b3;--good:#2f7d4f;--bad:#b4472e}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header{background:#fff;border-bottom:1px solid var(--line);padding:1.4rem clamp(1rem,4vw,3rem);
display:flex;align-items:baseline;gap:1rem;flex-wrap:wrap}h1{font-size:1.5rem;margin:0}header p{margin:0;color:var(--soft)}
main{padding:1.6rem clamp(1rem,4vw,3rem);display:grid;gap:1.2rem;grid-template-columns:repeat(auto-fill,minmax(13.5rem,1fr))}
article{background:#fff;border:1px solid var(--line);border-radius:.7rem;overflow:hidden;display:flex;flex-direction:column}
.picture{aspect-ratio:4/3;background:#f0eee9 center/cover no-repeat;display:grid;place-items:center;color:#b9b4aa;font-size:2.4rem}
.picture img{width:100%;height:100%;object-fit:cover;display:block}
.words{padding:.9rem 1rem 1.1rem;display:flex;flex-direction:column;gap:.25rem;flex:1}
h2{font-size:1rem;margin:0;line-height:1.35}.sku,.kinds{color:var(--soft);font-size:.82rem}
.price{font-weight:650;font-size:1.1rem;margin-top:auto}
.stock{font-size:.85rem}.instock{color:var(--good)}.outofstock{color:var(--bad)}.onbackorder{color:var(--accent)}
.empty{color:var(--soft)}
"""
_WORDS = {"instock": "In stock", "outofstock": "Sold out", "onbackorder": "On backorder"}


def answer(site: Site, call: Call) -> Answer:
    """The front page, a picture, or a file put into the folder `public`."""
    if "rest_route" in call.query:
        # Recorded: the API behind ?rest_route= does not look at keys.
        refusal = Refusal("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", 401)
        return Answer(401, refusal.as_json(), envelope="rest stranger")
    if call.method not in ("GET", "HEAD"):
        return not_simulated(call)
    if call.path == "/":
        with site.store.work():
            return Answer(200, _page(site, call).encode(), content_type=HTML, envelope="page")
    return _file(site, call)


def _file(site: Site, call: Call) -> Answer:
    public = (site.folder / "public").resolve()
    path = (public / call.path.lstrip("/")).resolve()
    if path.is_relative_to(public) and path.is_file():
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return Answer(200, path.read_bytes(), content_type=kind, envelope="page")
    with site.store.work():
        taken = site.store.find("kind = 'media' AND slug = ?", (call.path,))
    if taken:  # accepted without fetching: the picture is still where it came from
        return Answer(302, b"", {"Location": taken[0]["origin"]}, HTML, "page")
    return Answer(404, b"<h1>Not Found</h1>", content_type=HTML, envelope="page")


def _page(site: Site, call: Call) -> str:
    found = site.store.find("kind = 'product' AND status = 'publish'", (), "ORDER BY id DESC")
    cards = "".join(_card(site, call, doc) for doc in found)
    name = html.escape(site.name)
    many = "1 product" if len(found) == 1 else f"{len(found)} products"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><header><h1>{name}</h1><p>{many} · {html.escape(site.currency)} · WooCommerce sandbox</p></header>"
        f"<main>{cards or '<p class=empty>Nothing on the shelves yet.</p>'}</main></body></html>"
    )


def _card(site: Site, call: Call, doc: Fields) -> str:
    shown = product_view.product(site, call, doc)
    picture = '<div class="picture">◇</div>'
    if shown["images"]:
        address = quote(shown["images"][0]["src"], safe=":/?=&%-._~")
        picture = f'<div class="picture"><img src="{address}" alt="" loading="lazy"></div>'
    children = product_view.variations_of(site, doc)
    managed = [child["stock_quantity"] or 0 for child in children if child["manage_stock"]]
    quantity = sum(managed) if managed else shown["stock_quantity"]
    stock = _WORDS[shown["stock_status"]] + (f" · {quantity}" if quantity and quantity > 0 else "")
    kinds = f'<span class="kinds">{len(children)} variants</span>' if children else ""
    amount = text.as_decimal(shown["price"])
    price = '<span class="sku">no price</span>'
    if amount is not None:  # as entered, which is what whoever looks wants to compare
        varied = len({child["price"] for child in children}) > 1
        price = ("from " if varied else "") + text.price_html(amount, site.currency)
    return (
        f'<article>{picture}<div class="words"><h2>{text.kses(shown["name"])}</h2>'
        f'<span class="sku">{html.escape(shown["sku"])}</span>{kinds}<span class="price">{price}</span>'
        f'<span class="stock {shown["stock_status"]}">{stock}</span></div></article>'
    )
