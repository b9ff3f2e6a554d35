"""`python -m web`: serves the console and the API until it is told to stop."""

import sys

import uvicorn

from core import log
from core.database import connect
from core.errors import EntrepotError
from core.listening import free_to_listen
from core.settings import load
from pipelines.routes import ROUTES
from web.app import create_app
from web.auth import first_start


def main() -> int:
    """Listens on ENTREPOT_LISTEN:ENTREPOT_PORT. At the very first start it prints the password and an API key."""
    try:
        settings = load()
        log.configure(settings.log_level)
        free_to_listen(settings.listen, settings.port)
        db = connect(settings, ROUTES, pool_size=settings.threads)
    except EntrepotError as error:
        sys.stderr.write(f"entrepot: {error}\n")
        return error.exit_code
    try:
        with db.unit_of_work() as uow:
            made = first_start(uow)
        if made is not None:
            sys.stdout.write(made.block(f"http://{settings.listen}:{settings.port}/") + "\n")
            sys.stdout.flush()
        uvicorn.run(
            create_app(db, settings), host=settings.listen, port=settings.port, log_config=None, access_log=False,
            server_header=False, timeout_graceful_shutdown=20,
        )  # fmt: skip
    finally:
        db.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
