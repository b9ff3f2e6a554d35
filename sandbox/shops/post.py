"""Where a sandbox shop may send anything: to this machine only."""

import ipaddress


def loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
