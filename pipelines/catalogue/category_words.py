"""Proposes a category of the taxonomy for a supplier's own path, by its words: pure, and never more than a proposal."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

NEAR = 0.35
"""A proposal less sure than this is none."""
SUREST = 0.95
"""Words never prove anything."""

_PARTS = re.compile(r"\s*[>/|»→]\s*")
_WORDS = re.compile(r"[^\W\d_]{2,}")
_EMPTY = frozenset(["and", "or", "of", "the", "for", "with", "other", "others", "und", "oder", "für", "mit", "sonstige", "sonstiges", "et", "ou", "de", "des", "du", "la", "le", "les", "pour", "avec", "autres"])  # fmt: skip


class Proposals:
    """The words of a taxonomy's paths ("Home & Garden > Lighting > Lamps"), looked up again and again."""

    def __init__(self, categories: Iterable[tuple[int, str]]) -> None:
        self._last: dict[int, frozenset[str]] = {}
        self._above: dict[int, frozenset[str]] = {}
        self._depth: dict[int, int] = {}
        self._with: dict[str, list[int]] = {}
        use: Counter[str] = Counter()
        for number, path in categories:
            *above, last = parts(path) or [""]
            self._last[number], self._above[number] = words(last), words(" ".join(above))
            self._depth[number] = len(above)
            for word in self._last[number]:
                self._with.setdefault(word, []).append(number)
            use.update(self._last[number] | self._above[number])
        whole = max(len(self._last), 1)
        self._weight = {word: math.log(1 + whole / count) for word, count in use.items()}
        self._unseen = math.log(1 + whole) / 2  # a word of another language or a name says little

    def nearest(self, path: str) -> tuple[int, float] | None:
        """The nearest category and how sure that is (0 to 1); None where no word of its last two parts is known.

        The last part counts most; where it says nothing, the one before it, with less trust. Paths in other
        languages find something only where their words are the same.
        """
        said = parts(path)
        for back in (1, 2):
            if len(said) < back:
                break
            found = self._best(words(said[-back]), words(" ".join(said[: len(said) - back])))
            sure = found[1] * (1.0 if back == 1 else 0.6) if found else 0.0
            if found and sure >= NEAR:
                return found[0], round(min(sure, SUREST), 3)
        return None

    def _best(self, last: frozenset[str], above: frozenset[str]) -> tuple[int, float] | None:
        near = {number for word in last for number in self._with.get(word, ())}
        ranked = [(self._likeness(number, last, above), -self._depth[number], -number) for number in near]
        if not ranked:
            return None
        likeness, _, number = max(ranked)
        return -number, likeness

    def _likeness(self, number: int, last: frozenset[str], above: frozenset[str]) -> float:
        shared = self._sum(last & self._last[number]) / self._sum(last | self._last[number])
        theirs = self._above[number] | self._last[number]
        beside = self._sum(above & theirs) / self._sum(above) if above else 0.5
        return 0.75 * shared + 0.25 * beside

    def _sum(self, some: frozenset[str]) -> float:
        return sum(self._weight.get(word, self._unseen) for word in some)


def parts(path: str) -> list[str]:
    """ "Licht / Lampen" → ["Licht", "Lampen"]."""
    return [part for part in _PARTS.split(path.strip()) if part]


def words(text: str) -> frozenset[str]:
    """The words that say something: small, without accents, in the singular as far as English goes."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return frozenset(_singular(word) for word in _WORDS.findall(plain) if word not in _EMPTY)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
