"""What a visitor's browser sees: the shop front with the products that are on sale."""

import html

from sandbox.shopify import inventory, products
from sandbox.shopify.answers import HTML, Answer, Call, Fields
from sandbox.shopify.site import Site

_STYLE = """
:root{--ink:#1d2421;--soft:#64706a;--line:#dfe5e0;--paper:#f6f8f6;--accent:#2f6f4f;--bad:#b4472e}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header{background:#fff;border-bottom:1px solid var(--line);padding:1.4rem clamp(1rem,4vw,3rem);
display:flex;align-items:baseline;gap:1rem;flex-wrap:wrap}h1{font-size:1.5rem;margin:0}header p{margin:0;color:var(--soft)}
main{padding:1.6rem clamp(1rem,4vw,3rem);display:grid;gap:1.2rem;grid-template-columns:repeat(auto-fill,minmax(13.5rem,1fr))}
article{background:#fff;border:1px solid var(--line);border-radius:.7rem;overflow:hidden;display:flex;flex-direction:column}
.picture{aspect-ratio:4/3;background:#eaf0eb;display:grid;place-items:center;color:#a9b8ae;font-size:2.4rem}
.picture img{width:100%;height:100%;object-fit:cover;display:block}
.words{padding:.9rem 1rem 1.1rem;display:flex;flex-direction:column;gap:.25rem;flex:1}
h2{font-size:1rem;margin:0;line-height:1.35}.sku,.kinds{color:var(--soft);font-size:.82rem}
.price{font-weight:650;font-size:1.1rem;margin-top:auto}.stock{font-size:.85rem;color:var(--accent)}.none{color:var(--bad)}
.empty{color:var(--soft)}
"""


def answer(site: Site, call: Call) -> Answer:
    """The front page; there is nothing else to see."""
    if call.path != "/" or call.method not in ("GET", "HEAD"):
        return Answer(404, b"<h1>Not Found</h1>", content_type=HTML)
    with site.lock:
        found = [one for one in site.all("Product", order="id DESC") if products.on_sale(one)]
        cards = "".join(_card(site, one) for one in found)
    many = "1 product" if len(found) == 1 else f"{len(found)} products"
    name = html.escape(site.name)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><header><h1>{name}</h1><p>{many} · {html.escape(site.currency)} · Shopify sandbox</p></header>"
        f"<main>{cards or '<p class=empty>Nothing on the shelves yet.</p>'}</main></body></html>"
    )
    return Answer(200, page.encode(), content_type=HTML)


def _card(site: Site, product: Fields) -> str:
    variants = products.variants_of(site, product)
    stock = sum(inventory.total(products.item_of(site, one)) for one in variants)
    first = site.one("MediaImage", product["files"][0]) if product["files"] else None
    source = html.escape(first["source"], quote=True) if first else ""
    picture = f'<img src="{source}" alt="" loading="lazy">' if first else "◇"
    prices = sorted({one["price"] for one in variants}, key=float)
    price = ("from " if len(prices) > 1 else "") + f"{prices[0]} {site.currency}"
    kinds = f'<span class="kinds">{len(variants)} variants</span>' if len(variants) > 1 else ""
    shelf = (
        f'<span class="stock">In stock · {stock}</span>'
        if stock > 0
        else '<span class="stock none">Sold out</span>'
    )
    return (
        f'<article><div class="picture">{picture}</div><div class="words"><h2>{html.escape(product["title"])}</h2>'
        f'<span class="sku">{html.escape(variants[0]["sku"] or "")}</span>{kinds}'
        f'<span class="price">{html.escape(price)}</span>{shelf}</div></article>'
    )
