"""Norden Lampen: a German wholesaler's price list, as an old merchandise system exports it."""

import csv
import io

from sandbox.feeds.numbers import ean13

_COLUMNS = (
    "Artikelnummer;Artikeltyp;Bezeichnung;Beschreibung;Marke;Warengruppe;EAN;EK;UVP;Währung;MwSt;Bestand;"
    "Lieferzeit Tage;Gewicht kg;Bild"
)
HEADER = _COLUMNS.split(";")
_PREFIX = "4260999"

# model, what it is, text, motif, group, trade price in cents, weight in grams, {finish: stock}
_MODELS = (
    ("Oslo", "Tischleuchte", "Schirm aus mundgeblasenem Opalglas, Fuß aus geölter Eiche. Ø 28 cm, Höhe 41 cm.", "table", "Leuchten > Tischleuchten", 3480, 1900, {"Messing": 24, "Schwarz": 31, "Weiß": 12}),
    ("Bergen", "Pendelleuchte", "Gebürsteter Stahl, Textilkabel 2,50 m – auch über dem Esstisch. Ø 38 cm.", "pendant", "Leuchten > Pendelleuchten", 5290, 2400, {"Anthrazit": 18, "Salbei": 9, "Kupfer": 14}),
    ("Tromsø", "Stehleuchte", "Dreibein aus Esche; Schirm aus Leinen, außen abwaschbar. Höhe 152 cm.", "floor", "Leuchten > Stehleuchten", 8950, 6800, {"Natur": 7, "Graphit": 5}),
    ("Malmö", "Deckenleuchte", "LED 24 W, 2.700 K, flimmerfrei dimmbar. Für Räume bis 18 m².", "ceiling", "Leuchten > Deckenleuchten", 6420, 2100, {"Weiß": 40, "Sand": 22}),
    ("Aarhus", "Wandleuchte", "Schwenkarm 45 cm, Schalter am Gehäuse. „Der Klassiker“ fürs Bett.", "wall", "Leuchten > Wandleuchten", 4175, 1300, {"Messing": 16, "Schwarz": 27}),
    ("Visby", "Klemmleuchte", "Hält an Platten bis 5 cm Stärke; Gelenk in drei Achsen.", "desk", "Leuchten > Schreibtischleuchten", 2260, 850, {"Rot": 33, "Petrol": 28, "Weiß": 0}),
    ("Lund", "Schreibtischleuchte", "LED 9 W mit Touch-Dimmer und USB-C-Buchse (5 V; 2 A).", "desk", "Leuchten > Schreibtischleuchten", 5780, 1700, {"Silber": 21, "Schwarz": 19}),
    ("Narvik", "Außenleuchte", "Pulverbeschichteter Guss, IP54, mit Dämmerungssensor; bis −25 °C.", "outdoor", "Leuchten > Außenleuchten", 4890, 2000, {"Anthrazit": 52, "Rost": 11}),
    ("Skagen", "Wegeleuchte", "Edelstahl, Höhe 60 cm. Erdspieß und Montageplatte liegen bei.", "outdoor", "Leuchten > Außenleuchten", 3940, 2600, {"Edelstahl": 44}),
    ("Kiruna", "Kronleuchter", "Zwölf Arme, handgebogen. Lieferung in zwei Kartons; für Decken ab 3 m Höhe.", "chandelier", "Leuchten > Kronleuchter", 72400, 14500, {"Messing": 2, "Schwarz": 3}),
    ("Hamar", "Kinderleuchte", "Mond aus Porzellan, warmes Nachtlicht, Timer 15/30/60 min.", "night", "Leuchten > Kinderzimmer", 1890, 600, {"Creme": 37, "Himmelblau": 35, "Rosé": 29}),
    ("Falun", "Laterne", "Verzinktes Blech, für Stumpenkerzen bis Ø 8 cm.", "lantern", "Wohnen > Laternen", 1340, 1100, {"Klein": 60, "Groß": 41}),
    ("Ribe", "Spiegelleuchte", "Für das Bad, IP44, 60 cm; CRI 95.", "wall", "Leuchten > Badleuchten", 4430, 900, {"Chrom": 25, "Schwarz": 17}),
    ("Turku", "Akkuleuchte", "Tischleuchte ohne Kabel; 20 h Licht, IP54, lädt über USB-C.", "table", "Leuchten > Tischleuchten", 3290, 700, {"Schwarz": 48, "Olive": 32, "Koralle": 26}),
    ("Odense", "Strahler", "Schiene 1 m mit drei Köpfen, GU10, je 350° drehbar.", "ceiling", "Leuchten > Strahler", 5160, 1600, {"Weiß": 20, "Schwarz": 23}),
    ("Fjord", "LED-Band", "5 m, 2.400 lm, teilbar alle 5 cm; mit Netzteil.", "strip", "Leuchtmittel > LED-Bänder", 2675, 500, {"Warmweiß": 75, "Tageslicht": 58}),
)  # fmt: skip

# sku, title, text, motif, group, trade price in cents, stock, grams
_SINGLES = (
    ("NL-2001", "Leuchtmittel E27 Globe 8 W", "Opal, 806 lm, 2.700 K, Ø 95 mm. Ersetzt 60 W.", "bulb", "Leuchtmittel > E27", 389, 420, 80),
    ("NL-2002", "Leuchtmittel E27 Filament 6 W", "Klarglas, 470 lm, dimmbar.", "bulb", "Leuchtmittel > E27", 412, 366, 60),
    ("NL-2003", "Leuchtmittel E14 Kerze 4 W", "Matt, 350 lm, 2.700 K.", "bulb", "Leuchtmittel > E14", 295, 510, 40),
    ("NL-2004", "Leuchtmittel GU10 Spot 5 W", "36°, 380 lm, dimmbar.", "bulb", "Leuchtmittel > GU10", 329, 298, 50),
    ("NL-2010", "Textilkabel rund, 3 m", "2 × 0,75 mm², mit Schalter und Eurostecker.", "cable", "Zubehör > Kabel", 745, 88, 240),
    ("NL-2011", "Textilkabel geflochten, 3 m", "2 × 0,75 mm²; Leinenoptik.", "cable", "Zubehör > Kabel", 880, 64, 260),
    ("NL-2012", "Baldachin Stahl, Ø 12 cm", "Für eine bis drei Leitungen, mit Zugentlastung.", "canopy", "Zubehör > Baldachine", 935, 47, 310),
    ("NL-2013", "Fassung E27 mit Ring", "Porzellan, 4 A, bis 250 V.", "socket", "Zubehör > Fassungen", 310, 190, 120),
    ("NL-2014", "Ersatzschirm Oslo", "Opalglas, mundgeblasen; Ø 28 cm. Kleine Einschlüsse sind kein Mangel.", "shade", "Zubehör > Schirme", 1620, 15, 900),
    ("NL-2015", "Ersatzschirm Tromsø", "Leinen, abwaschbar.\nPasst auch auf die Ausführung vor 2023.", "shade", "Zubehör > Schirme", 2190, 8, 700),
    ("NL-2016", "Dimmer Phasenabschnitt 5–150 W", "Unterputz, für LED; mit Memory.", "dimmer", "Zubehör > Dimmer", 2480, 73, 110),
    ("NL-2017", "Funkschalter 2-fach", "Ohne Batterie, Reichweite 30 m.", "dimmer", "Zubehör > Schalter", 1975, 55, 90),
    ("NL-2018", "Bewegungsmelder 180°", "Aufputz, IP55, bis 12 m.", "sensor", "Zubehör > Sensoren", 1690, 36, 180),
    ("NL-2019", "Pflegeset Messing", "Politur 100 ml und zwei Tücher.", "care", "Zubehör > Pflege", 565, 120, 210),
)  # fmt: skip


def rows() -> list[list[str]]:
    """The list in its own order: good rows with a handful of real life's mistakes among them."""
    found: list[list[str]] = []
    number = 1001
    for model, what, text, motif, group, cents, grams, finishes in _MODELS:
        for finish, stock in finishes.items():
            sku = f"NL-{number}"
            dearer = 250 if finish in ("Messing", "Kupfer", "Groß") else 0
            found.append(
                _row(sku, f"{what} {model}, {finish}", text, motif, group, cents + dearer, stock, grams)
            )
            number += 1
    found += [_row(*single) for single in _SINGLES]
    found.append(_service("NL-9001", "Montage einer Leuchte vor Ort", "Anfahrt bis 40 km, Anschluss und Probelauf durch eine Elektrofachkraft. Je Leuchte; Termine werktags.", 4900, 8900, 12))  # fmt: skip
    return _with_mistakes(found)


def _row(
    sku: str, title: str, text: str, motif: str, group: str, cents: int, stock: int, grams: int
) -> list[str]:
    retail = round(cents * 2.15 / 100) * 100 - 10
    return [
        sku,
        "Ware",
        title,
        text,
        "Norden",
        group,
        ean13(_PREFIX + sku[-4:].rjust(5, "0")),
        german(cents),
        german(retail),
        "EUR",
        "19",
        str(stock),
        "2" if stock else "21",
        f"{grams / 1000:.2f}".replace(".", ","),
        f"{{base}}/norden/{motif}-{sku.lower()}.png",
    ]


def _service(sku: str, title: str, text: str, cents: int, retail: int, capacity: int) -> list[str]:
    """A service among the goods: no EAN, no weight; the stock column tells the free appointments a week."""
    return [sku, "Dienstleistung", title, text, "Norden", "Dienstleistungen > Montage", "", german(cents), german(retail), "EUR", "19", str(capacity), "5", "", f"{{base}}/norden/service-{sku.lower()}.png"]  # fmt: skip


def _with_mistakes(good: list[list[str]]) -> list[list[str]]:
    by_sku = {row[0]: row for row in good}
    ean, cost, stock = HEADER.index("EAN"), HEADER.index("EK"), HEADER.index("Bestand")
    for sku, last in (("NL-1009", "1"), ("NL-2013", "7")):  # a check digit mistyped
        right = by_sku[sku][ean]
        by_sku[sku][ean] = right[:-1] + (last if right[-1] != last else str((int(last) + 1) % 10))
    by_sku["NL-2017"][stock] = "-3"  # more promised than there was
    spoiled = []
    for sku, field, value in (
        ("NL-2020", cost, ""),
        ("NL-2021", cost, "0,00"),
        ("NL-2022", cost, "auf Anfrage"),
        ("NL-2023", HEADER.index("Bezeichnung"), ""),
    ):
        row = _row(
            sku,
            f"Sonderposten {sku[-2:]}",
            "Ausstellungsstück.",
            "lantern",
            "Wohnen > Restposten",
            990,
            4,
            500,
        )
        row[field] = value
        spoiled.append(row)
    again = list(by_sku["NL-1004"])
    otherwise = list(by_sku["NL-1012"])
    otherwise[cost], otherwise[stock] = german(3990), "3"
    return [*good[:20], again, *good[20:45], otherwise, *good[45:], *spoiled]


def german(cents: int) -> str:
    """1234567 -> `12.345,67`."""
    return f"{cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))


def text(base: str) -> bytes:
    """The file: cp1252, semicolons, CRLF."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows([[cell.replace("{base}", base) for cell in row] for row in rows()])
    return out.getvalue().replace("−", "-").encode("cp1252")
