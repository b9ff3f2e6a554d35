"""Which elements are records: a plain path of local names, or XPath 1.0 judged element by element while the file streams."""

import re
from typing import Any

from lxml import etree

from core.errors import Refused

_PLAIN = re.compile(r"[^/\[\]@*()'\"\s]+(?:/[^/\[\]@*()'\"\s]+)*")
_NESTED = r"""(?:[^\[\]'"]|'[^']*'|"[^"]*"|\[[^\]]*\])*"""
_STEP = re.compile(rf"(//?)(?:child::)?((?:[^\W\d][\w.-]*:)?(?:[^\W\d][\w.-]*|\*))((?:\[{_NESTED}\])*)")
_PREDICATE = re.compile(rf"\[({_NESTED})\]")
_COUNTING = re.compile(r"\s*\d+\s*|.*\b(?:position|last)\s*\(", re.S)
Step = tuple[bool, str, tuple[str, ...]]
"""(at any depth below the step before, name, predicates)."""


class RecordPath:
    """`last` is the local name of the records ("*": any), `names` those of all steps, `simple` says that only names count; `is_place` and `is_wanted` judge an element.

    A plain path ("rss/channel/item") is local names from the root, whatever their namespaces. One that begins with
    "/" is XPath 1.0: child steps, "//", "*", prefixes as the file itself declares them, and predicates on the element
    and what is in it ("/Catalogue/cac:CatalogueLine[cbc:ActionCode!='Delete']"). A step without a prefix stands for
    that name in every namespace. Raises Refused (`mapping_invalid`) for what cannot be judged in a stream.
    """

    def __init__(self, path: str) -> None:
        plain = _PLAIN.fullmatch(path)
        self._steps: list[Step] = [(False, name, ()) for name in path.split("/")] if plain else _xpath(path)
        self.names = [name for _, name, _ in self._steps]
        self.simple = bool(plain) or not any(
            anywhere or predicates or ":" in name or name == "*" for anywhere, name, predicates in self._steps
        )
        self.last = self.names[-1].rpartition(":")[2]
        self.judged = bool(self._steps[-1][2])

    def is_place(self, element: etree._Element) -> bool:
        """Whether the element stands where records do, its content aside."""
        if not self.simple:
            return self._stands(element, len(self._steps) - 1)
        node: etree._Element | None = element
        for name in reversed(self.names):
            if node is None or str(node.tag).rpartition("}")[2] != name:
                return False
            node = node.getparent()
        return node is None

    def is_wanted(self, element: etree._Element) -> bool:
        """Whether the whole element, at its place, meets the last step's predicates."""
        return all(_holds(element, predicate) for predicate in self._steps[-1][2])

    def _stands(self, element: etree._Element | None, step: int) -> bool:
        if element is None:
            return False
        anywhere, name, predicates = self._steps[step]
        if not _is_named(element, name):
            return False
        if step < len(self._steps) - 1 and not all(_holds(element, one) for one in predicates):
            return False
        parent = element.getparent()
        if step == 0:
            return anywhere or parent is None
        if not anywhere:
            return self._stands(parent, step - 1)
        return any(self._stands(above, step - 1) for above in element.iterancestors())


def _xpath(path: str) -> list[Step]:
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if not found:
            raise Refused(
                f"The record path {path!r} cannot be followed while the file streams, from {path[at:]!r} on; "
                "write child steps like /catalog/product[@active='1'] or //product.",
                rule="mapping_invalid",
            )
        predicates = tuple(_PREDICATE.findall(found[3]))
        for predicate in predicates:
            _check(path, predicate)
        steps.append((found[1] == "//", found[2], predicates))
        at = found.end()
    return steps


def _check(path: str, predicate: str) -> None:
    try:
        etree.XPath(predicate.replace(":", "_"))
    except etree.XPathSyntaxError:
        raise Refused(
            f"[{predicate}] in the record path {path!r} is no XPath 1.0.", rule="mapping_invalid"
        ) from None
    if _COUNTING.fullmatch(predicate) or "position" in predicate or "last(" in predicate:
        raise Refused(
            f"[{predicate}] in the record path {path!r} counts elements, which are forgotten one by one; "
            "choose by their content.",
            rule="mapping_invalid",
        )


def _is_named(element: etree._Element, name: str) -> bool:
    namespace, _, local = str(element.tag).rpartition("}")
    prefix, _, wanted = name.rpartition(":")
    if wanted not in ("*", local):
        return False
    return not prefix or _known(element).get(prefix) == namespace[1:]


def _holds(element: etree._Element, predicate: str) -> bool:
    """Raises Refused for a prefix that the file does not declare."""
    try:
        return bool(element.xpath(f"boolean(self::node()[{predicate}])", namespaces=_known(element)))
    except etree.XPathError as error:
        raise Refused(f"[{predicate}] in the record path: {error}.", rule="mapping_invalid") from None


def _known(element: etree._Element) -> dict[str, Any]:
    return {prefix: uri for prefix, uri in element.nsmap.items() if prefix}
