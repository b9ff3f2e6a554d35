"""`./run bench NAME|all [--json]`: every benchmark measures its own denominator in the same run."""

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

from core.errors import EntrepotError

# name -> module; each has `measure() -> dict`, which may take minutes and says on stderr what it is doing
BENCHES = {
    "feeds": "bench.feeds",
    "shops": "bench.shops",
    "steps": "bench.steps",
}


def _measure(name: str) -> dict[str, Any]:
    measure: Callable[[], dict[str, Any]] = importlib.import_module(BENCHES[name]).measure
    return measure()


def _table(result: dict[str, Any], indent: str = "") -> str:
    lines = []
    for name, value in result.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", _table(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:<14} {'–' if value is None else value}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """The command line; the last line of stdout is the JSON object with --json."""
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("name", choices=[*BENCHES, "all"])
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    asked = parser.parse_args(arguments)
    try:
        names = list(BENCHES) if asked.name == "all" else [asked.name]
        found = {name: _measure(name) for name in names}
    except EntrepotError as error:
        print(f"entrepot: {error}", file=sys.stderr)
        return error.exit_code
    result = found if asked.name == "all" else found[asked.name]
    print(json.dumps(result) if asked.json else _table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
