"""Every record is answered: which rules reject, which wait for a person, and what each tells the supplier."""

from collections.abc import Container
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

ACCEPTED, REJECTED, QUARANTINED = "accepted", "rejected", "quarantined"
VERDICTS = (ACCEPTED, REJECTED, QUARANTINED)

# rule -> the sentence after the record's place; {field} is the supplier's column, {value} what stands there.
REJECTS: dict[str, str] = {
    "truncated": "the file ends (or a quote never closes) inside this record; send the whole file again",
    "too_long": "a value is over 1 MB, or a quote is never closed; shorten it, or double the quotes inside it",
    "undecodable": "some bytes are no text in the file's encoding; save the file as UTF-8",
    "ragged_row": "the row has more or fewer cells than the header; quote cells that contain the delimiter",
    "not_well_formed": "the record is no well-formed JSON; write the file with a JSON library",
    "group_broken": "{field} {value} names a product that is not in this file; send the product's own row too",
    "skipped_by_rule": "{field} {value} says that it is not for sale here{other}; change it there if it should be sold",
    "rejected_by_rule": "{other} ({field} is {value}); change it there, or the rule in the mapping",
    "missing_key": "there is no article number ({field}); give every record one of its own",
    "key_too_long": "the article number ({field}) is longer than 500 characters; give a shorter one",
    "missing_title": "there is no title ({field}); give one",
    "missing_price": "there is no price ({field}); give one, or leave the record out",
    "missing_stock": "there is no stock ({field}); give one, or say whether it is available",
    "not_a_number": "{field} {value} is not an amount; write it like 12.50",
    "price_negative": "{field} {value} is below zero; give what one piece costs",
    "currency_unknown": "{field} {value} names a currency that ISO 4217 does not list; write it like EUR",
    "duplicate": "{field} {value} repeats {other} with the same content; send it once",
}
QUARANTINES: dict[str, str] = {
    "price_zero": "{field} is zero; confirm that it is free, or give a price",
    "held_by_rule": "{other} ({field} is {value}); change it there, or the rule in the mapping",
    "number_ambiguous": "{field} {value} could be thousands or decimals; write it without a thousands separator",
    "currency_conflict": "{field} {value} is in another currency than the rest of the record; give all in one",
    "duplicate_conflict": "{field} {value} is also the key of {other}, with other content; give each its own",
}
NOTES = (
    "gtin_invalid", "gtin_repaired", "gtin_restricted", "key_from_other_field", "html_cleaned", "stock_negative",
    "stock_unknown", "image_unusable", "cost_above_price", "unit_assumed", "value_ignored", "text_damaged",
)  # fmt: skip
READER_FAULTS = ("truncated", "too_long", "undecodable", "ragged_row", "not_well_formed")


@dataclass
class Marks:
    """rule -> rows it concerns, with the field, the value and (for duplicates) the other record it speaks of."""

    rows: int
    masks: dict[str, Mask] = field(default_factory=dict)
    fields: dict[str, dict[int, tuple[str, str, str]]] = field(default_factory=dict)

    def add(self, rule: str, mask: Mask, told: dict[int, tuple[str, str, str]] | None = None) -> None:
        """Marks these rows; the first word on a row stands."""
        if mask.any():
            self.masks[rule] = self.masks.get(rule, np.zeros(self.rows, dtype=bool)) | mask
            self.fields[rule] = {**(told or {}), **self.fields.get(rule, {})}

    def clear(self, mask: Mask) -> None:
        """Takes every mark from these rows."""
        for rule in self.masks:
            self.masks[rule] = self.masks[rule] & ~mask

    def any_of(self, rules: Container[str]) -> Mask:
        """Rows that one of `rules` concerns."""
        found = np.zeros(self.rows, dtype=bool)
        for rule, mask in self.masks.items():
            if rule in rules:
                found |= mask
        return found


def verdicts_of(marks: Marks) -> npt.NDArray[np.int8]:
    """The verdict of each row as its place in VERDICTS: rejected where any rule rejects, else quarantined where one does."""
    codes = np.zeros(marks.rows, dtype=np.int8)
    codes[marks.any_of(QUARANTINES)] = VERDICTS.index(QUARANTINED)
    codes[marks.any_of(REJECTS)] = VERDICTS.index(REJECTED)
    return codes


def counts_of(marks: Marks) -> tuple[dict[str, int], dict[str, int]]:
    """(reason -> rows, note -> rows)."""
    counts = {rule: int(mask.sum()) for rule, mask in marks.masks.items()}
    reasons = {rule: counts[rule] for rule in (*REJECTS, *QUARANTINES) if counts.get(rule)}
    return reasons, {rule: counts[rule] for rule in NOTES if counts.get(rule)}


def answers_of(
    marks: Marks, rows: npt.NDArray[np.int64], locators: list[str]
) -> tuple[list[list[str]], list[list[str]], list[str | None]]:
    """(reasons, notes, one sentence where a record was not accepted) of some rows, which stand at `locators`."""
    reasons: list[list[str]] = [[] for _ in locators]
    notes: list[list[str]] = [[] for _ in locators]
    messages: list[str | None] = [None] * len(locators)
    nothing = np.zeros(marks.rows, dtype=bool)
    for rule, sentence in (REJECTS | QUARANTINES).items():
        for place in np.flatnonzero(marks.masks.get(rule, nothing)[rows]).tolist():
            reasons[place].append(rule)
            if messages[place] is None:
                name, value, other = marks.fields[rule].get(int(rows[place]), ("", "", ""))
                told = sentence.format(field=name, value=repr(value), other=other)
                messages[place] = f"{locators[place]}: {told}."
    for rule in NOTES:
        for place in np.flatnonzero(marks.masks.get(rule, nothing)[rows]).tolist():
            notes[place].append(rule)
    return reasons, notes, messages
