"""`python -m sandbox.supplier`: a supplier as a process that prints one JSON line when it is ready."""

import argparse
import json
import signal
import threading
from pathlib import Path

from sandbox.supplier.server import SupplierServer


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.supplier", description=__doc__)
    parser.add_argument("--name", default="Sandbox supplier")
    parser.add_argument("--folder", type=Path, required=True, help="where it keeps everything")
    parser.add_argument("--port", type=int, default=0, help="https; 0 takes a free one")
    supplier = SupplierServer(**vars(parser.parse_args()))
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with supplier:
        print(json.dumps(supplier.description()), flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
