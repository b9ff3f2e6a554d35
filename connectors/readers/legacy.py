"""Which code page a file without a BOM and without valid UTF-8 is in, by the letters its bytes would become."""

from collections.abc import Callable

# Letters of the languages written in each single-byte code page (source: Unicode CLDR exemplar characters).
_LATIN = {
    "cp1252": (
        "äöüßÄÖÜ", "àâæçéèêëîïôœùûüÿÀÂÇÉÈÊËÎÔŒÙÛ", "áéíñóúüÁÉÍÑÓÚÜ¿¡ºª", "ãáàâçéêíóôõúÃÁÀÂÇÉÊÍÓÔÕÚºª",
        "àèéìíîòóùúÀÈÉÌÒÙ", "åäöæøéÅÄÖÆØÉ", "áéíóúëïöüèÁÉËÏ", "áðéíóúýþæöÁÐÉÍÓÚÝÞÆÖ",
    ),
    "cp1250": (
        "ěščřžýáíéúůňťďóĚŠČŘŽÝÁÍÉÚŮŇŤĎÓ", "áäčďéíĺľňóôŕšťúýžÁÄČĎÉÍĹĽŇÓÔŔŠŤÚÝŽ", "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ",
        "áéíóöőúüűÁÉÍÓÖŐÚÜŰ", "ăâîşţĂÂÎŞŢ", "čšžćđČŠŽĆĐ",
    ),
    "cp1254": ("çğıöşüâÇĞİÖŞÜ",),
    "cp1257": ("āčēģīķļņšūžĀČĒĢĪĶĻŅŠŪŽ", "ąčęėįšųūžĄČĘĖĮŠŲŪŽ", "äõöüšžÄÕÖÜŠŽ"),
    "iso8859-2": (
        "ěščřžýáíéúůňťďóĚŠČŘŽÝÁÍÉÚŮŇŤĎÓ", "áäčďéíĺľňóôŕšťúýžÁÄČĎÉÍĹĽŇÓÔŔŠŤÚÝŽ", "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ",
    ),
    "cp850": ("äöüßÄÖÜ", "àâçéèêëîïôùûÀÂÇÉÈÊ", "áéíñóúüÁÉÍÑÓÚÜ", "åäöæøéÅÄÖÆØ"),
    "mac_roman": ("äöüßÄÖÜ", "àâçéèêëîïôœùûÀÂÇÉÈÊ", "áéíñóúüÁÉÍÑÓÚÜ", "åäöæøéÅÄÖÆØ"),
}  # fmt: skip
_OTHER_SCRIPTS = {
    "cp1251": "абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯіїєґІЇЄҐ",
    "koi8-u": "абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯіїєґІЇЄҐ",
    "cp866": "абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ",
    "cp1253": "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΆΈΉΊΌΎΏ",
    "cp1255": "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
}
_SIGNS = set("€£¥©®™°–—‘’‚“”„…•×²³½¼§«»·\xa0№±µ")


def guess_legacy(odd: bytes) -> str:
    """The likeliest Python codec of `odd` (text with high bytes, not UTF-8); "cp1252" where nothing tells."""
    best, best_score = "cp1252", 0.0
    for codec, score in _SCORERS:
        try:
            text = _decode(odd, codec)
        except UnicodeDecodeError:
            continue
        value = score(text)
        if value > best_score + 1e-9:
            best, best_score = codec, value
    return best


def _decode(odd: bytes, codec: str) -> str:
    """Strict, but for a multi-byte character cut off at a sample's end."""
    try:
        return odd.decode(codec)
    except UnicodeDecodeError as error:
        if error.start >= len(odd) - 3 and codec in _MULTIBYTE:
            return odd[: error.start].decode(codec)
        raise


def _latin(alphabets: tuple[str, ...], weight: float = 1.0) -> Callable[[str], float]:
    sets = [set(alphabet) for alphabet in alphabets]

    def score(text: str) -> float:
        high = [character for character in text if character > "\x7f"]
        signs = sum(character in _SIGNS for character in high)
        letters = max(sum(character in alphabet for character in high) for alphabet in sets)
        return weight * (letters + 0.9 * signs) / max(len(high), 1)

    return score


def _script(alphabet: str) -> Callable[[str], float]:
    known = set(alphabet)

    def score(text: str) -> float:
        """Words of another script do not mix with Latin letters; German read as Cyrillic does in every word."""
        high = hits = alone = 0.0
        previous = " "
        for character in text:
            if character > "\x7f":
                high += 1
                hits += character in known or 0.9 * (character in _SIGNS)
                if (character in known and previous.isascii() and previous.isalpha()) or (
                    character in known and previous in known and character.isupper() and previous.islower()
                ):
                    alone += 1
            elif character.isalpha() and previous in known:
                alone += 1
            previous = character
        trust = 1.0 if hits >= 3 else 0.8  # a word or two of a script could be anything
        return trust * max(hits - 2 * alone, 0.0) / max(high, 1.0)

    return score


def _east_asian(codec: str, first: int, last: int, kana: bool) -> Callable[[str], float]:
    """Common characters are those in the standard's first level: their lead byte lies in first..last."""

    def score(text: str) -> float:
        high = [character for character in text if character > "\x7f"]
        common = kana_seen = 0.0
        for character in high:
            if "\u3040" <= character <= "\u30ff":
                common += kana
                kana_seen += 1
            elif "\uff61" <= character <= "\uff9f":
                common += 0.5 * kana  # half-width: one byte each, so other code pages' letters look like them
            elif (
                character in "、。・「」（）〇ー：，；！？"
                or character in _SIGNS
                or "\uff01" <= character <= "\uff5e"
            ):
                common += 0.9
            else:
                try:
                    lead = character.encode(codec)
                except UnicodeEncodeError:
                    continue
                common += len(lead) == 2 and first <= lead[0] <= last
        if kana and kana_seen < len(high) / 50:
            common *= 0.8  # Japanese without a single kana is rare
        return common / max(len(high), 1)

    return score


_MULTIBYTE = {"cp932", "euc_jp", "cp949", "gb18030", "big5"}
_SCORERS: tuple[tuple[str, Callable[[str], float]], ...] = (
    ("cp932", _east_asian("euc_jp", 0xB0, 0xCF, kana=True)),
    ("euc_jp", _east_asian("euc_jp", 0xB0, 0xCF, kana=True)),
    ("cp949", _east_asian("euc_kr", 0xB0, 0xC8, kana=False)),
    ("gb18030", _east_asian("gb2312", 0xB0, 0xD7, kana=False)),
    ("big5", _east_asian("big5", 0xA4, 0xC6, kana=False)),
    ("cp1252", _latin(_LATIN["cp1252"])),
    ("cp1250", _latin(_LATIN["cp1250"])),
    ("cp1251", _script(_OTHER_SCRIPTS["cp1251"])),
    ("koi8-u", _script(_OTHER_SCRIPTS["koi8-u"])),
    ("cp1253", _script(_OTHER_SCRIPTS["cp1253"])),
    ("cp1255", _script(_OTHER_SCRIPTS["cp1255"])),
    ("cp1254", _latin(_LATIN["cp1254"])),
    ("cp1257", _latin(_LATIN["cp1257"])),
    ("iso8859-2", _latin(_LATIN["iso8859-2"])),
    ("cp850", _latin(_LATIN["cp850"], 0.85)),
    ("mac_roman", _latin(_LATIN["mac_roman"], 0.85)),
    ("cp866", _script(_OTHER_SCRIPTS["cp866"])),
)
