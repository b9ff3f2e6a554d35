"""Trailhead Apparel: an outdoor brand that exports its own Shopify shop, quirks and all."""

import csv
import io

from sandbox.feeds.numbers import upc12

_COLUMNS = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,"
    "Option2 Name,Option2 Value,Option3 Name,Option3 Value,Variant SKU,Variant Grams,"
    "Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Fulfillment Service,"
    "Variant Price,Variant Compare At Price,Variant Requires Shipping,Variant Taxable,Variant Barcode,"
    "Image Src,Image Position,Image Alt Text,Gift Card,Variant Image,Variant Weight Unit,Status"
)
HEADER = _COLUMNS.split(",")
_PREFIX = "0799999"
_SIZES = ("S", "M", "L", "XL")
_MOTIFS = {
    **dict.fromkeys(
        ("Jackets", "Fleece", "Base layers", "Sweatshirts", "Rainwear", "Vests", "Kids"), "shirt"
    ),
    **dict.fromkeys(("Pants", "Shorts"), "trousers"),
    **dict.fromkeys(("Gloves", "Socks"), "pair"),
    "Headwear": "hat",
    "Packs": "pack",
}

# handle, title, text, type, price in cents, compare-at or 0, grams, colors, sizes, pictures
_PRODUCTS = (
    ("ridgeline-shell", "Ridgeline Shell Jacket", "Three-layer shell, 20,000 mm, pit zips, helmet hood.", "Jackets", 18900, 0, 410, ("Moss", "Slate"), _SIZES, 3),
    ("switchback-fleece", "Switchback Fleece", "Recycled grid fleece with thumb loops.", "Fleece", 7900, 8900, 320, ("Oat", "Navy"), ("S", "M", "L"), 2),
    ("cairn-merino-tee", "Cairn Merino Tee", "150 g/m² merino; wear it for a week.", "Base layers", 5900, 0, 150, ("Rust", "Charcoal"), _SIZES, 2),
    ("talus-pants", "Talus Trekking Pants", "Stretch nylon, gusseted, zip-off pockets.", "Pants", 9900, 0, 340, ("Bark",), _SIZES, 2),
    ("scree-shorts", "Scree Shorts", "9\" inseam, quick-dry, UPF 50.", "Shorts", 5400, 0, 190, ("Bark", "Sky"), ("S", "M", "L"), 1),
    ("basecamp-hoodie", "Basecamp Hoodie", "Heavy organic cotton, brushed inside.", "Sweatshirts", 6900, 0, 620, ("Forest",), _SIZES, 2),
    ("drizzle-poncho", "Drizzle Poncho", "Packs to the size of an apple.", "Rainwear", 3900, 4500, 230, ("Yellow",), ("S/M", "L/XL"), 1),
    ("summit-down-vest", "Summit Down Vest", "800-fill traceable down.", "Vests", 14900, 0, 260, ("Black",), ("S", "M", "L"), 2),
    ("ember-beanie", "Ember Beanie", "Lambswool, ribbed, made in Scotland.", "Headwear", 2900, 0, 80, ("Ember", "Ash", "Pine"), (), 1),
    ("sunward-cap", "Sunward Cap", "Five panels, sweatband of merino.", "Headwear", 2700, 0, 70, ("Sand", "Teal"), (), 1),
    ("granite-belt", "Granite Belt", "Webbing, airport-proof buckle.", "Accessories", 1900, 0, 110, (), ("M", "L"), 1),
    ("wayfarer-socks", "Wayfarer Socks, 2 pairs", "Merino & nylon, cushioned heel.", "Socks", 2400, 0, 120, (), ("36-39", "40-43", "44-47"), 1),
    ("glacier-gloves", "Glacier Gloves", "Softshell, touchscreen index finger.", "Gloves", 3800, 0, 90, (), ("S", "M", "L"), 1),
    ("trail-bandana", "Trail Bandana", "Printed with the map of the first hut-to-hut trail.", "Accessories", 1200, 0, 40, (), (), 3),
    ("daypack-22", "Daypack 22 l", "Recycled ripstop, back panel of mesh.", "Packs", 8900, 9900, 720, ("Clay", "Ink"), (), 4),
    ("stuff-sacks", "Stuff Sacks, set of 3", "3, 6 and 12 litres; silicone-coated.", "Packs", 2600, 0, 110, (), (), 3),
    ("trek-poles", "Trekking Poles", "Aluminium 7075, cork grips, 105-135 cm.", "Gear", 6900, 0, 480, (), (), 3),
    ("enamel-mug", "Camp Mug", "Enamelled steel, 350 ml. For fire & stove.", "Gear", 1400, 0, 140, ("White", "Green"), (), 4),
    ("head-torch", "Head Torch 300", "300 lumens, rechargeable (USB-C), red light.", "Gear", 4200, 0, 85, (), (), 3),
    ("repair-kit", "Field Repair Kit", "Needle, thread, patches, seam glue.", "Gear", 1600, 0, 95, (), (), 2),
    ("gaiters", "Gaiters", "Stirrup of TPU, side release.", "Accessories", 3400, 0, 210, (), ("M", "L"), 1),
    ("waxed-hat", "Waxed Hat", "British Millerain cotton, wide brim.", "Headwear", 4900, 0, 160, (), ("M", "L"), 1),
    ("sit-pad", "Sit Pad", "Folds to a hand's size; closed-cell foam.", "Gear", 900, 0, 35, (), (), 2),
    ("dry-bag-10", "Dry Bag 10 l", "Welded seams, roll top.", "Packs", 2200, 0, 150, ("Orange",), (), 3),
    ("wool-blanket", "Wool Blanket", "Woven from recycled wool, 140 × 190 cm.", "Home", 7200, 0, 1250, ("Check",), (), 4),
    ("campfire-soap", "Campfire Soap", "Olive oil, pine tar & birch.", "Home", 800, 0, 110, (), (), 2),
    ("trail-guide", "Trail Guide: Twelve Huts", "Paperback with maps, 144 pages.", "Books", 1990, 0, 280, (), (), 3),
    ("kids-rain-set", "Kids' Rain Set", "Jacket & bibs, reflective, PFAS-free.", "Kids", 6400, 0, 450, ("Ladybird",), ("98", "110", "122"), 1),
    ("winter-mitts", "Winter Mitts", "Primaloft, leather palm. Coming back in autumn.", "Gloves", 5200, 0, 170, (), ("M", "L"), 1),
    ("gift-wrap", "Gift Wrap", "Printed tissue and a ribbon.", "Home", 300, 0, 30, (), (), 1),
)  # fmt: skip


def rows() -> list[dict[str, str]]:
    """The export's rows: a product's first one carries its texts, the others a variant or only a picture."""
    found: list[dict[str, str]] = []
    number = 1
    for place, (handle, title, words, kind, cents, before, grams, colors, sizes, pictures) in enumerate(
        _PRODUCTS
    ):
        variants = [(color, size) for color in colors or ("",) for size in sizes or ("",)]
        options = [name for name, values in (("Color", colors), ("Size", sizes)) if values] or ["Title"]
        for index, (color, size) in enumerate(variants):
            row = dict.fromkeys(HEADER, "")
            row["Handle"] = handle
            values = [value for value in (color, size) if value] or ["Default Title"]
            for slot, (name, value) in enumerate(zip(options, values, strict=True), start=1):
                row[f"Option{slot} Name"] = name if index == 0 else ""
                row[f"Option{slot} Value"] = value
            stock = 0 if handle == "winter-mitts" else (number * 7) % 43
            row |= _variant(handle, values, cents, before, grams, stock, number)
            if index == 0:
                row |= _first(title, words, kind, handle)
            if index < pictures:
                row |= _picture(handle, title, kind, index + 1)
            found.append(row)
            number += 1
        for position in range(len(variants) + 1, pictures + 1):
            found.append(
                dict.fromkeys(HEADER, "") | {"Handle": handle} | _picture(handle, title, kind, position)
            )
        if place == 2:  # a variant whose price somebody cleared
            found[-1]["Variant Price"] = ""
    return found


def _first(title: str, words: str, kind: str, handle: str) -> dict[str, str]:
    return {
        "Title": title,
        "Body (HTML)": f"<p>{words}</p><ul><li>Repairs for life</li><li>Made in Europe</li></ul>",
        "Vendor": "Trailhead",
        "Product Category": "Apparel & Accessories > Clothing",
        "Type": kind,
        "Tags": f"outdoor, {kind.lower()}",
        "Published": "TRUE",
        "Gift Card": "FALSE",
        "Status": "draft" if handle == "gift-wrap" else "active",
    }


def _variant(
    handle: str, values: list[str], cents: int, before: int, grams: int, stock: int, number: int
) -> dict[str, str]:
    tail = "" if values == ["Default Title"] else "-" + "-".join(value.upper()[:5] for value in values)
    barcode = upc12(_PREFIX + f"{number * 61:04d}")
    return {
        "Variant SKU": f"TH-{handle.upper()[:12].rstrip('-')}{tail}",
        "Variant Grams": str(grams),
        "Variant Inventory Tracker": "shopify",
        "Variant Inventory Qty": str(stock),
        "Variant Inventory Policy": "deny",
        "Variant Fulfillment Service": "manual",
        "Variant Price": f"{cents / 100:.2f}",
        "Variant Compare At Price": f"{before / 100:.2f}" if before else "",
        "Variant Requires Shipping": "true",
        "Variant Taxable": "true",
        # Shopify guards long numbers with an apostrophe; a spreadsheet in between loses the leading zero.
        "Variant Barcode": barcode.lstrip("0") if number % 9 == 0 else f"'{barcode}",
        "Variant Weight Unit": "g",
    }


def _picture(handle: str, title: str, kind: str, position: int) -> dict[str, str]:
    suffix = "" if position == 1 else f"-{position}"
    return {
        "Image Src": f"{{base}}/trailhead/{_MOTIFS.get(kind, 'other')}-{handle}{suffix}.png",
        "Image Position": str(position),
        "Image Alt Text": title,
    }


def text(base: str) -> bytes:
    """The file: UTF-8, commas, LF."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows([{key: cell.replace("{base}", base) for key, cell in row.items()} for row in rows()])
    return out.getvalue().encode()
