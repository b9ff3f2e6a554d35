"""A key that comes again is known with the place of its first record, however many came between."""

import numpy as np
import pyarrow as pa

from pipelines.feeds.hashing import hash64
from pipelines.feeds.register import Register

TEXT = pa.large_string()


def noted(register: Register, keys: list[str], contents: list[str], first_row: int) -> tuple[object, ...]:
    """What the register says of these records, which stand from `first_row` on."""
    rows = pa.array([f"row {first_row + number}" for number in range(len(keys))], TEXT)
    same, other, places = register.note(
        hash64(pa.array(keys, TEXT)), hash64(pa.array(contents, TEXT)), rows, np.zeros(len(keys), dtype=bool)
    )
    return same.tolist(), other.tolist(), places


def test_a_key_is_known_again_however_many_batches_lie_between() -> None:
    register = Register()
    for batch in range(40):  # several large runs, and some small ones
        keys = [f"K{batch}-{number}" for number in range(50)]
        nothing = [False] * 50
        assert noted(register, keys, keys, 2 + 50 * batch) == (nothing, nothing, {})
    again = ["K0-0", "new", "K17-49", "K39-7"]
    contents = ["K0-0", "new", "other", "K39-7"]
    places = {0: "row 2", 2: "row 901", 3: "row 1959"}
    assert noted(register, again, contents, 5000) == (
        [True, False, False, True],
        [False, False, True, False],
        places,
    )
    assert (register.variants, register.products()) == (2001, 2001)
