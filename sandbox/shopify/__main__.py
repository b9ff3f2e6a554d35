"""`python -m sandbox.shopify`: a shop as a process that prints one JSON line when it is ready."""

import argparse
from pathlib import Path

from sandbox.shopify.bucket import PLANS
from sandbox.shopify.shop import Shop
from sandbox.shops.running import serve


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.shopify", description=__doc__)
    parser.add_argument("--name", default="Sandbox", help="what the shop is called")
    parser.add_argument("--folder", type=Path, required=True, help="where it keeps everything")
    parser.add_argument("--port", type=int, default=0, help="https; 0 takes a free one")
    parser.add_argument("--currency", default="EUR")
    parser.add_argument("--tax-included", action="store_true", help="prices are entered with tax")
    parser.add_argument("--plan", choices=PLANS, default="enterprise", help="how many points a second")
    parser.add_argument("--retry-seconds", type=float, default=1.0, help="wait before a webhook's second try")
    serve(Shop(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
