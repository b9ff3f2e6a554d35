"""`python -m sandbox.woocommerce`: a shop as a process that prints one JSON line when it is ready."""

import argparse
from pathlib import Path

from sandbox.shops.running import serve
from sandbox.woocommerce.shop import CRONS, Shop
from sandbox.woocommerce.site import IMAGE_POLICIES, WEIGHT_UNITS


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.woocommerce", description=__doc__)
    parser.add_argument("--name", default="Sandbox", help="what the shop is called on its front page")
    parser.add_argument("--folder", type=Path, required=True, help="where it keeps everything")
    parser.add_argument("--port", type=int, default=0, help="https; 0 takes a free one")
    parser.add_argument("--http-port", type=int, default=0, help="http; 0 takes a free one")
    parser.add_argument("--currency", default="EUR")
    parser.add_argument("--tax-included", action="store_true", help="prices are entered with tax")
    parser.add_argument("--utc-offset-hours", type=float, default=1)
    parser.add_argument("--weight-unit", choices=WEIGHT_UNITS, default="kg")
    parser.add_argument("--images", choices=IMAGE_POLICIES, default="strict")
    parser.add_argument(
        "--cron", choices=CRONS, default="visits", help="visits: webhooks leave when the API is asked"
    )
    parser.add_argument("--latency", type=float, default=0, help="times a real shop's time to answer; 0 none")
    parser.add_argument(
        "--plain-callbacks", action="store_true", help="the consent page sends keys over http too"
    )
    parser.add_argument("--below", default="", help="the folder of the server it stands in, e.g. /shop")
    serve(Shop(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
