"""What a Shopify takes: told in sentences before anything is sent.

Limits are those of the Admin GraphQL API (design/shopify.md) and of Shopify's product pages: 255 characters for titles,
SKUs, barcodes, options and vendors, 512 KB for descriptions.
"""

import re
from collections.abc import Iterable

from connectors.base import ProductDraft, VariantDraft

LONGEST = 255
LONGEST_TEXT = 500_000
"""Bytes of a description."""
MOST_VARIANTS = 2048
MOST_OPTIONS = 3
MOST_VALUES = 250
"""Values of one option: as many as any list of a call."""
MOST_FILES = 250
MOST_TAGS = 250
MOST_STOCK = 1_000_000_000
"""Pieces; Shopify refuses more (INVALID_QUANTITY_TOO_HIGH)."""

COUNTRIES = frozenset(
    re.findall(
        "[A-Z]{2}",
        """
    AC AD AE AF AG AI AL AM AN AO AR AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
    EG EH ER ES ET FI FJ FK FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GW GY HK HM HN HR
    HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK
    LR LS LT LU LV LY MA MC MD ME MF MG MK ML MM MN MO MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG
    NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PS PT PY QA RE RO RS RU RW SA SB SC SD SE SG
    SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ
    UA UG UM US UY UZ VA VC VE VG VN VU WF WS XK YE YT ZA ZM ZW ZZ
    """,
    )
)
"""The schema's CountryCode. Another word would have Shopify refuse the whole call."""


def why_not(draft: ProductDraft) -> str | None:
    """The sentence why this product cannot go into the shop, None where it can."""
    title = draft.title.strip()
    if not title:
        return "The product has no title. Give it one."
    if len(title) > LONGEST or len(draft.brand or "") > LONGEST:
        return f"The title or brand is longer than the {LONGEST} characters the shop keeps; shorten it."
    if len(draft.description.encode()) > LONGEST_TEXT:
        return f"The description is longer than {LONGEST_TEXT} bytes; shorten it."
    if not draft.variants:
        return "The product has no variant to sell."
    if len(draft.variants) > MOST_VARIANTS:
        return f"The product has {len(draft.variants)} variants; the shop takes at most {MOST_VARIANTS}. Split it."
    if len(pictures(draft)) > MOST_FILES:
        return f"The product has more than the {MOST_FILES} pictures the shop takes; leave some out."
    if any(not tag.strip() or len(tag) > LONGEST or "," in tag for tag in draft.tags):
        return f"A tag is empty, has a comma or is longer than the {LONGEST} characters the shop keeps."
    if len(draft.tags) > MOST_TAGS:
        return f"The product has more than the {MOST_TAGS} tags the shop takes; leave some out."
    if len(draft.handle or "") > LONGEST:
        return f"The end of the page's address is longer than the {LONGEST} characters the shop keeps; shorten it."
    names = [tuple(name.strip() for name, _ in variant.options) for variant in draft.variants]
    if len(set(names)) > 1:
        return "The variants do not have the same options in the same order; give each of them every option."
    if len(names[0]) > MOST_OPTIONS:
        return (
            f"The product has {len(names[0])} options ({', '.join(names[0])}); the shop takes at most {MOST_OPTIONS}. "
            "Join two of them."
        )
    if len({name.casefold() for name in names[0]}) < len(names[0]) or "" in names[0]:
        return f"The options {', '.join(names[0])} cannot be told apart by the shop; rename one."
    if any(len(name) > LONGEST for name in names[0]):
        return f"An option's name is longer than the {LONGEST} characters the shop keeps; shorten it."
    for at, name in enumerate(names[0]):
        number = len({variant.options[at][1].strip() for variant in draft.variants})
        if number > MOST_VALUES:
            return f"The option {name} has {number} values; the shop takes at most {MOST_VALUES}. Split the product."
    if len({choice(variant.options) for variant in draft.variants}) < len(draft.variants):
        return "Two variants have the same options; the shop could sell only one of them."
    return None


def why_not_variant(variant: VariantDraft, currency: str) -> str | None:
    """The sentence why this variant cannot go into a shop of this currency, None where it can."""
    sku = variant.sku
    if not sku.strip():
        return "The variant has no SKU; the hub could not find it again in the shop. Give it one."
    if sku != sku.strip() or not sku.isprintable():
        return (
            f"The shop would change the SKU {sku!r}; remove blanks at its ends and signs that cannot be seen."
        )
    if len(sku) > LONGEST or len(variant.gtin or "") > LONGEST:
        return f"The SKU or GTIN of {sku[:40]!r} is longer than the {LONGEST} characters the shop keeps."
    if variant.price.currency != currency:
        return f"The price of {sku} is in {variant.price.currency}, but the shop sells in {currency}."
    if variant.price.minor < 0:
        return f"The price of {sku} is negative."
    if variant.compare_at is not None and variant.compare_at.currency != currency:
        return f"The struck price of {sku} is in {variant.compare_at.currency}, but the shop sells in {currency}."
    if type(variant.stock) is not int or not 0 <= variant.stock <= MOST_STOCK:
        return f"The stock of {sku} is {variant.stock!r}; it must be a whole number from 0 to {MOST_STOCK}."
    if any(not value.strip() or len(value) > LONGEST for _, value in variant.options):
        return f"An option of {sku} is empty or longer than the {LONGEST} characters the shop keeps."
    return None


def choice(options: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """What tells a variant from the others of its product; case and outer blanks do not."""
    return tuple(value.strip().casefold() for _, value in options)


def pictures(draft: ProductDraft) -> tuple[str, ...]:
    """The URLs of all pictures, the product's first: one of a variant must also be the product's."""
    return tuple(
        dict.fromkeys((*draft.images, *(variant.image for variant in draft.variants if variant.image)))
    )


def customs(variant: VariantDraft) -> tuple[dict[str, str], str | None]:
    """(What customs are told of a variant, as fields of its inventory item, the sentence about what is left out).

    Shopify takes tariff numbers of 6 to 13 digits, without the dots that people write.
    """
    fields: dict[str, str] = {}
    faults = []
    if variant.hs_code:
        code = re.sub(r"[\s.\-]", "", variant.hs_code)
        if re.fullmatch(r"[0-9]{6,13}", code):
            fields["harmonizedSystemCode"] = code
        else:
            faults.append(f"the tariff number {variant.hs_code[:40]!r} has not 6 to 13 digits")
    if variant.origin:
        if variant.origin.strip().upper() in COUNTRIES:
            fields["countryCodeOfOrigin"] = variant.origin.strip().upper()
        else:
            faults.append(f"the country of origin {variant.origin[:40]!r} is no ISO code of two letters")
    return fields, f"Left out of {variant.sku}: {' and '.join(faults)}." if faults else None
