"""Writes the three sample feeds: `python -m sandbox.feeds.make [--base URL] [FOLDER]`.

Without arguments it renews the files kept beside it. `--base` names where the pictures are, e.g. a running
`python -m sandbox.images`.
"""

import argparse
from pathlib import Path

from sandbox.feeds import casa_verde, norden, trailhead

HERE = Path(__file__).resolve().parent
PLACEHOLDER = "https://images.example"
FEEDS = {
    "norden-lampen.csv": norden.text,
    "casa-verde.xml": casa_verde.text,
    "trailhead-apparel.csv": trailhead.text,
}


def write(folder: Path, base: str = PLACEHOLDER) -> list[Path]:
    """The feeds' files in `folder`, with pictures below `base`; the same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, text in FEEDS.items():
        path = folder / name
        path.write_bytes(text(base.rstrip("/")))
        found.append(path)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.feeds.make", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    parser.add_argument("--base", default=PLACEHOLDER, help="where the pictures are")
    chosen = parser.parse_args()
    for path in write(chosen.folder, chosen.base):
        print(path)


if __name__ == "__main__":
    main()
