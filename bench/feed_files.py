"""The files the feed benchmark reads: a supplier's price list of 20 columns, its next day's version, and an XML feed."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20261127
PIECE = 50_000  # rows made at a time
HEADER = (
    "sku", "ean", "mpn", "brand", "name", "description", "category", "wholesale_price", "rrp", "currency", "tax_rate", "stock",
    "availability", "lead_time_days", "weight_kg", "color", "country_of_origin", "image_url", "additional_image_link", "product_url",
)  # fmt: skip


def _words(text: str) -> list[str]:
    return text.split()


_SYLLABLES = _words("ba co di fe gra ho ki lu mar no pel qui ros sta tri ul ven wo xan zy")
_PLACES = _words(
    "Home Garden Kitchen Office Bath Outdoor Workshop Light Sport Pets Toys Travel Car Music Baby Beauty"
)
_KINDS = _words(
    "Lamps Chairs Tools Storage Textiles Tables Cables Filters Frames Covers Sets Parts Bags Boards Pumps Clocks Racks Mats Hooks"
)
_THINGS = _words(
    "lamp chair drill box towel table cable filter frame cover set bracket bag board pump clock rack mat hook vase"
)
_MADE_OF = _words("oak steel linen glass cotton brass walnut ceramic bamboo leather wool copper")
_COLOURS = _words("black white red blue green grey sand anthracite natural silver")
_COUNTRIES = _words("DE CN PL IT PT TR VN CZ")
_LINES = (
    "Stands firmly on every floor and is wiped clean with a damp cloth.",
    "Made for daily use, with rounded edges and a calm surface.",
    "Comes ready to use; the screws and the key are in the box.",
    "Tested for two hundred thousand movements in our own workshop.",
)


def write_list(path: Path, rows: int, *, supplier: str = "A", day: int = 0, seed: int = SEED) -> None:
    """Writes a CSV of `rows` articles, about 330 bytes each; on `day` 1 one in a hundred has another price and stock.

    Own numbers rise, EANs are valid and each used once, a tenth of the descriptions carry simple HTML.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";", lineterminator="\n").writerow(HEADER)
        for lines in _pieces(rows, supplier, day, seed):
            file.write(lines)


def write_xml(path: Path, rows: int, *, seed: int = SEED) -> None:
    """Writes a Google Merchant feed (RSS with the g: namespace) of `rows` items, about 800 bytes each."""
    with path.open("w", encoding="utf-8") as file:
        file.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>\n<title>Bench</title>\n'
        )
        for start in range(0, rows, PIECE):
            file.write("".join(map(_element, _articles(start, min(PIECE, rows - start), "X", 0, seed))))
        file.write("</channel></rss>\n")


def _pieces(rows: int, supplier: str, day: int, seed: int) -> Iterator[str]:
    for start in range(0, rows, PIECE):
        yield "".join(
            f'{one["sku"]};{one["ean"]};{one["mpn"]};{one["brand"]};{one["name"]};"{one["description"]}";{one["category"]};'
            f"{one['cost']};{one['rrp']};EUR;19;{one['stock']};{one['availability']};{one['days']};{one['weight']};{one['color']};"
            f"{one['country']};{one['image']}-1.jpg;{one['image']}-2.jpg;{one['url']}\n"
            for one in _articles(start, min(PIECE, rows - start), supplier, day, seed)
        )


def _articles(start: int, count: int, supplier: str, day: int, seed: int) -> Iterator[dict[str, Any]]:
    """Article number `start` and those after it: the same whatever the size of the file."""
    chance = np.random.default_rng([seed, sum(map(ord, supplier)), start])
    draw = {name: chance.integers(0, top, count).tolist() for name, top in _RANGES.items()}
    brands, categories = _brands(seed), _categories()
    base = 400_000_000_000 + sum(map(ord, supplier)) % 10 * 10_000_000
    for index in range(count):
        number = start + index
        d = {name: values[index] for name, values in draw.items()}
        made, thing, colour = _MADE_OF[d["made"]], _THINGS[d["thing"]], _COLOURS[d["colour"]]
        brand = brands[d["brand"]]
        cost, stock = 100 + d["cost"], max(0, d["stock"] - 40)
        if day and number % 100 == 7:
            cost, stock = cost + 17 * day, stock + day
        text = f"{made.title()} {thing} in {colour}. {_LINES[d['line']]}"
        if d["html"] == 0:
            text = f"<p><b>{made.title()} {thing}</b> in {colour}.</p><p>{_LINES[d['line']]}</p>"
        address = f"supplier.example/p/{supplier}{number:07d}"
        yield {
            "sku": f"{supplier}{number:07d}", "ean": _ean(base + d["brand"] * 100_000_000 + number), "mpn": f"{brand[:3].upper()}-{d['model']:05d}-{number % 97}",
            "brand": brand, "name": f"{brand} {thing} {made} {colour} {d['model']}", "description": text, "category": categories[d["category"]],
            "cost": f"{cost // 100}.{cost % 100:02d}", "rrp": f"{cost * 2 // 100}.{cost * 2 % 100:02d}", "stock": stock,
            "availability": "in stock" if stock else "out of stock", "days": 1 + d["days"], "weight": f"{d['weight'] / 1000:.3f}",
            "color": colour, "country": _COUNTRIES[d["country"]], "image": f"https://{address}", "url": f"https://{address}",
        }  # fmt: skip


_RANGES = {
    "made": len(_MADE_OF), "thing": len(_THINGS), "colour": len(_COLOURS), "brand": 200, "category": 304, "cost": 50_000, "stock": 400,
    "line": len(_LINES), "html": 10, "model": 100_000, "days": 14, "weight": 30_000, "country": len(_COUNTRIES),
}  # fmt: skip


def _brands(seed: int) -> list[str]:
    chance = np.random.default_rng(seed)
    names: dict[str, None] = {}
    while len(names) < 200:
        names["".join(_SYLLABLES[n] for n in chance.integers(0, len(_SYLLABLES), 3)).title()] = None
    return list(names)


def _categories() -> list[str]:
    return [f"{place} > {kind}" for place in _PLACES for kind in _KINDS]


def _ean(number: int) -> str:
    """An EAN-13: twelve digits and the check digit (GS1 General Specifications, 7.9)."""
    digits = f"{number:012d}"
    total = sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))
    return f"{digits}{-total % 10}"


def _element(one: dict[str, Any]) -> str:
    return (
        f"<item><g:id>{one['sku']}</g:id><g:gtin>{one['ean']}</g:gtin><g:mpn>{one['mpn']}</g:mpn><g:brand>{one['brand']}</g:brand>"
        f"<title>{one['name']}</title><description><![CDATA[{one['description']}]]></description><g:product_type>{one['category'].replace('>', '&gt;')}</g:product_type>"
        f"<g:price>{one['rrp']} EUR</g:price><g:cost_of_goods_sold>{one['cost']} EUR</g:cost_of_goods_sold><g:availability>{one['availability'].replace(' ', '_')}</g:availability>"
        f"<g:quantity>{one['stock']}</g:quantity><g:shipping_weight>{one['weight']} kg</g:shipping_weight><g:color>{one['color']}</g:color><g:condition>new</g:condition>"
        f"<link>{one['url']}</link><g:image_link>{one['image']}-1.jpg</g:image_link><g:additional_image_link>{one['image']}-2.jpg</g:additional_image_link></item>\n"
    )
