"""Whether the address the hub is to listen on is there to be had: asked before anything is started."""

import socket

from core.errors import Misconfigured


def free_to_listen(host: str, port: int) -> None:
    """Returns where `host`:`port` can be listened on. Raises Misconfigured where it is taken or not this machine's."""
    try:
        ((family, kind, protocol, _, place), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # connections that just ended do not count
            trial.bind(place)
            trial.listen(1)  # with SO_REUSEADDR two may bind before one of them listens
    except OSError as error:
        raise Misconfigured(
            f"Nothing can listen at {host}:{port} ({error.strerror or error}). Where a hub is running already, stop it; "
            "else set ENTREPOT_PORT or ENTREPOT_LISTEN to what is free."
        ) from None
