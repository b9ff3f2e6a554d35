"""Casa Verde: an Italian garden and table-ware house that hands out its Google Shopping feed."""

from html import escape

from sandbox.feeds.numbers import ean13

_PREFIX = "8099999"
_NAMESPACE = "http://base.google.com/ns/1.0"

# group, title, text, motif, google category, product type, grams, [(color, size, price in cents)]
_GROUPS = (
    ("CV-POT", "Terracotta Pot Lucca", "Hand-thrown terracotta from Impruneta, frost-proof to -15 °C. With drainage hole & saucer.", "pot", "Home & Garden > Lawn & Garden > Gardening > Pots & Planters", "Garden > Pots", 1800,
     [("Terracotta", "18 cm", 1490), ("Terracotta", "24 cm", 2290), ("Terracotta", "32 cm", 3690), ("White", "18 cm", 1590), ("White", "24 cm", 2390), ("White", "32 cm", 3890)]),
    ("CV-APR", "Linen Apron Siena", "Stone-washed linen, two pockets, adjustable neck. Gets softer with every wash.", "apron", "Home & Garden > Kitchen & Dining > Kitchen Tools & Utensils > Aprons", "Kitchen > Textiles", 320,
     [("Olive", "One size", 3450), ("Clay", "One size", 3450), ("Ink", "One size", 3450)]),
    ("CV-BWL", "Stoneware Bowl Assisi", "Reactive glaze, every bowl a little different. Safe for dishwasher & microwave.", "bowl", "Home & Garden > Kitchen & Dining > Tableware > Dinnerware > Bowls", "Table > Bowls", 640,
     [("Sage", "S", 1290), ("Sage", "M", 1690), ("Sage", "L", 2490), ("Sand", "S", 1290), ("Sand", "M", 1690), ("Sand", "L", 2490)]),
    ("CV-HMK", "Cotton Hammock Amalfi", "Woven cotton for one or two, up to 160 kg; with bag.", "hammock", "Home & Garden > Lawn & Garden > Outdoor Living > Hammocks", "Garden > Living", 2100,
     [("Lemon", "Single", 5900), ("Lemon", "Double", 7900), ("Sea", "Single", 5900), ("Sea", "Double", 7900)]),
    ("CV-CAN", "Watering Can Bellagio", "Powder-coated zinc with a brass rose, 5 litres in the large one.", "can", "Home & Garden > Lawn & Garden > Watering & Irrigation > Watering Cans", "Garden > Tools", 950,
     [("Forest", "2 l", 2450), ("Forest", "5 l", 3250), ("Cream", "2 l", 2450), ("Cream", "5 l", 3250)]),
)  # fmt: skip

# id, title, text, motif, google category, product type, grams, price in cents, sale price or None, availability
_SINGLES = (
    ("CV-101", "Olive Tree, 60 cm", "Grown for three years near Bari; in a 19 cm nursery pot.", "tree", "985", "Garden > Plants", 4200, 3990, None, "in_stock"),
    ("CV-102", "Lemon Tree, 80 cm", "Bears fruit in its first summer. Overwinter at 5 to 10 °C.", "tree", "985", "Garden > Plants", 5600, 5490, None, "in_stock"),
    ("CV-103", "Rosemary, 3 pots", "Three upright plants in 12 cm pots.", "herb", "985", "Garden > Plants", 1500, 1190, 990, "in_stock"),
    ("CV-104", "Secateurs Parma", "Forged carbon steel, 20 mm cut, walnut handle.", "tool", "3173", "Garden > Tools", 290, 4690, None, "in_stock"),
    ("CV-105", "Hand Trowel Parma", "Forged steel, ash handle, leather loop.", "tool", "3173", "Garden > Tools", 310, 2290, None, "in_stock"),
    ("CV-106", "Seed Box Primavera", "Twelve vegetables & herbs, enough for 6 m² of bed.", "seeds", "543677", "Garden > Plants", 180, 1990, None, "in_stock"),
    ("CV-107", "Olive Oil Extra Vergine, 0.5 l", "Cold-pressed within six hours; harvest of last November.", "bottle", "2660", "Pantry > Oil", 930, 1490, None, "in_stock"),
    ("CV-108", "Balsamic Vinegar of Modena, 0.25 l", "Aged in oak for three years. IGP.", "bottle", "2660", "Pantry > Vinegar", 560, 1190, 1050, "in_stock"),
    ("CV-109", "Moka Pot for 3 cups", "Aluminium, the original shape; for gas & electric hobs.", "moka", "1388", "Kitchen > Coffee", 480, 2690, None, "in_stock"),
    ("CV-110", "Moka Pot for 6 cups", "Aluminium, the original shape; for gas & electric hobs.", "moka", "1388", "Kitchen > Coffee", 690, 3390, None, "out_of_stock"),
    ("CV-111", "Pasta Board Emilia", "Solid poplar, 80 × 60 cm, with front stop.", "board", "666", "Kitchen > Boards", 4100, 5990, None, "in_stock"),
    ("CV-112", "Rolling Pin Emilia, 90 cm", "Beech, untreated.", "board", "666", "Kitchen > Boards", 900, 1890, None, "in_stock"),
    ("CV-113", "Beeswax Candles, set of 4", "Hand-dipped, 8 hours each.", "candle", "588", "Home > Candles", 420, 1690, None, "in_stock"),
    ("CV-114", "Citronella Candle in Terracotta", "Burns 40 hours; for the terrace only.", "candle", "588", "Home > Candles", 1100, 1450, None, "preorder"),
    ("CV-115", "Bistro Chair Como", "Steel & beech, folds flat.", "chair", "4299", "Garden > Furniture", 5200, 6990, 5990, "in_stock"),
    ("CV-116", "Bistro Table Como, Ø 60 cm", "Steel, powder-coated; folds flat.", "table", "4299", "Garden > Furniture", 7800, 9990, None, "in_stock"),
    ("CV-117", "Sun Sail Capri, 3 × 3 m", "UV 50+, water-repellent, with steel rings.", "sail", "719", "Garden > Living", 1900, 4990, None, "in_stock"),
)  # fmt: skip


def text(base: str) -> bytes:
    """The file: RSS 2.0 in UTF-8. One element has no price and one comes twice, as happens."""
    members: list[str] = []
    for group, title, words, motif, category, kind, grams, choices in _GROUPS:
        for color, size, cents in choices:
            code = f"{group}-{color[:3].upper()}-{size.replace(' ', '').upper()}"
            option = [("item_group_id", group), ("color", color), ("size", size)]
            product = (code, f"{title} – {color}, {size}", words, motif, category, kind, grams)
            members.append(_element(base, product, cents, len(members) + 1, option=option))
    for code, title, words, motif, category, kind, grams, cents, sale, availability in _SINGLES:
        product = (code, title, words, motif, category, kind, grams)
        members.append(_element(base, product, cents, len(members) + 1, sale=sale, availability=availability))
    product = ("CV-118", "Gift Basket Toscana", "Made up to order.", "bottle", "2660", "Pantry > Gifts", 2500)
    members.append(_element(base, product, 0, len(members) + 1))
    members.append(members[24])
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<rss version="2.0" xmlns:g="{_NAMESPACE}">\n<channel>\n<title>Casa Verde</title>\n'
        "<link>https://casaverde.example/</link>\n<description>Garden, kitchen and table</description>\n"
    )
    return (head + "".join(members) + "</channel>\n</rss>\n").encode()


Product = tuple[
    str, str, str, str, str, str, int
]  # id, title, text, motif, Google's category, own type, grams


def _element(
    base: str,
    product: Product,
    cents: int,
    number: int,
    *,
    sale: int | None = None,
    availability: str = "in_stock",
    option: list[tuple[str, str]] | None = None,
) -> str:
    code, title, words, motif, category, kind, grams = product
    picture = f"{base}/casa-verde/{motif}-{code.lower()}.png"
    fields = [
        ("id", code),
        ("title", title),
        ("description", words),
        ("link", f"https://casaverde.example/p/{code.lower()}"),
        ("image_link", picture),
        ("availability", availability),
    ]
    if cents:
        fields += [("price", euros(cents)), ("cost_of_goods_sold", euros(round(cents * 0.58)))]
    if sale:
        fields.append(("sale_price", euros(sale)))
    if number % 7 == 0:
        fields.append(("additional_image_link", picture.replace(".png", "-2.png")))
    fields += [
        ("brand", "Casa Verde"),
        ("gtin", ean13(_PREFIX + f"{number * 137:05d}")),
        ("mpn", code),
        ("condition", "new"),
        ("google_product_category", category),
        ("product_type", kind),
        ("shipping_weight", f"{grams / 1000:g} kg"),
        *(option or []),
    ]
    plain = {"title", "description", "link"}
    lines = "".join(
        f"  <{name if name in plain else 'g:' + name}>{escape(value, quote=False)}"
        f"</{name if name in plain else 'g:' + name}>\n"
        for name, value in fields
    )
    return f"<item>\n{lines}</item>\n"


def euros(cents: int) -> str:
    return f"{cents / 100:.2f} EUR"
