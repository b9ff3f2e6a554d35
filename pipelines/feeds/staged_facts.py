"""What is known of a run's staged offers from reading them, so that nobody has to look through a million of them again."""

import tempfile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.feeds.mapping.arrays import texts

_IDENTIFY = texts(["valid", "repaired"])


class Staged:
    """Counts of the offers noted so far. Their GTINs lie in a file without a name: eight bytes each."""

    def __init__(self) -> None:
        self._without = dict.fromkeys(("cost", "currency", "gtin"), 0)
        self._grouped = 0
        self._gtins = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object

    def note(self, offers: pa.Table) -> None:
        """Takes in some offers, see pipelines.feeds.offers.OFFER_COLUMNS."""
        for name in ("cost", "currency"):
            self._without[name] += offers[name].null_count
        self._grouped += len(offers) - offers["group_key"].null_count
        gtins = offers["gtin"].filter(pc.is_in(offers["gtin_verdict"], _IDENTIFY)).cast(pa.int64())
        self._without["gtin"] += len(offers) - len(gtins)
        self._gtins.write(gtins.to_numpy().tobytes())

    def facts(self) -> dict[str, Any]:
        """FeedRun.facts of the staged offers: how many are `grouped`, `without_cost`, `without_currency` and
        `without_gtin` (one that identifies), and whether two have the same (`gtin_twice`)."""
        self._gtins.seek(0)
        gtins = np.fromfile(self._gtins, dtype=np.int64)
        gtins.sort()
        without = {f"without_{name}": number for name, number in self._without.items()}
        return {"grouped": self._grouped, "gtin_twice": bool((gtins[1:] == gtins[:-1]).any()), **without}
