"""A picture server for the sandbox: every address below it is a PNG drawn on the spot, the same each time.

The path decides: `/norden/table-nl-1001.png` shows a table lamp in colours chosen by the whole path.
"""

import argparse
import colorsys
import hashlib
import json
import math
import signal
import struct
import threading
import zlib
from collections.abc import Callable
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 480, 360
_SMOOTH = 1.5  # pixels over which an edge fades
Colour = tuple[int, int, int]
# A shape is the distance of a point from its edge, in pixels: negative inside. Points run from -1 to 1.
Plane = npt.NDArray[np.float32]
Shape = Callable[[Plane, Plane], Plane]


class ImageServer:
    """Serves pictures on 127.0.0.1 over http; `url` is what stands before their paths."""

    def __init__(self, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


@lru_cache(maxsize=512)
def draw(path: str) -> bytes:
    """The PNG of a path: a motif by its name on a soft ground, 480 × 360."""
    seed = hashlib.sha256(path.encode()).digest()
    hue = seed[0] / 255
    ground, shade = _colour(hue, 0.14, 0.97), _colour(hue + 0.04, 0.24, 0.88)
    main, accent = _colour(hue + 0.5 + seed[1] / 1300, 0.55, 0.62), _colour(hue + 0.08, 0.6, 0.88)
    name = path.rsplit("/", 1)[-1].partition("-")[0]
    layers = [(shape, main if index % 2 == 0 else accent) for index, shape in enumerate(_motif(name, seed))]
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    middle = HEIGHT / 2
    v, u = (v - middle) / middle, (u - WIDTH / 2) / middle
    picture = _blend(_flat(ground), shade, np.clip((v + 0.2) / 1.2, 0, 1))
    for shape, paint in layers:
        picture = _blend(picture, paint, np.clip(0.5 - shape(u, v) * middle / (2 * _SMOOTH), 0, 1))
    filtered = np.zeros((HEIGHT, 1 + 3 * WIDTH), np.uint8)  # a leading zero: the row is stored unfiltered
    filtered[:, 1:] = np.rint(picture).astype(np.uint8).reshape(HEIGHT, -1)
    return _png(filtered.tobytes())


def _motif(name: str, seed: bytes) -> list[Shape]:
    """What is drawn for a motif; names unknown here get an arrangement of their own."""
    known: dict[str, list[Shape]] = {
        "table": [_box(0, 0.35, 0.035, 0.4), _trapeze(0, -0.3, 0.22, 0.46, 0.28), _box(0, 0.74, 0.3, 0.04)],
        "floor": [_box(0, 0.1, 0.025, 0.7), _trapeze(0, -0.55, 0.2, 0.36, 0.22), _box(0, 0.8, 0.26, 0.03)],
        "pendant": [_box(0, -0.65, 0.015, 0.4), _trapeze(0, 0, 0.12, 0.55, 0.3), _disc(0, 0.34, 0.13)],
        "ceiling": [_box(0, -0.75, 0.2, 0.06), _oval(0, -0.4, 0.75, 0.24), _oval(0, -0.32, 0.5, 0.1)],
        "chandelier": [_box(0, -0.5, 0.02, 0.5), _ring(0, 0.1, 0.6, 0.04), *_circle_of_discs(8, 0.6, 0.09)],
        "lantern": [_box(0, 0.1, 0.36, 0.5), _box(0, 0.1, 0.26, 0.38), _trapeze(0, -0.5, 0.08, 0.4, 0.14)],
        "bulb": [_disc(0, -0.15, 0.42), _disc(0, -0.15, 0.3), _box(0, 0.42, 0.16, 0.2)],
        "pot": [_trapeze(0, 0.25, 0.52, 0.36, 0.4), _box(0, -0.2, 0.58, 0.09), _disc(0, -0.55, 0.2)],
        "bowl": [_lower_half(0, 0, 0.68), _oval(0, 0, 0.68, 0.16), _box(0, 0.68, 0.26, 0.05)],
        "tree": [_box(0, 0.3, 0.05, 0.3), _disc(0, -0.25, 0.46), _trapeze(0, 0.68, 0.3, 0.22, 0.18)],
        "bottle": [_box(0, 0.25, 0.26, 0.5), _box(0, 0.3, 0.26, 0.2), _box(0, -0.5, 0.09, 0.28)],
        "chair": [_box(0, 0.1, 0.42, 0.05), _box(-0.36, 0, 0.04, 0.75), _box(0.36, 0.42, 0.04, 0.34)],
        "service": [_ring(0, 0, 0.62, 0.07), _disc(0, 0, 0.42), _cross(0, 0, 0.26, 0.08)],
        "shirt": [
            _either(_trapeze(0, 0.12, 0.36, 0.42, 0.6), _trapeze(0, -0.25, 0.42, 0.78, 0.2)),
            _disc(0, -0.5, 0.13),
        ],
        "trousers": [
            _either(_box(-0.2, 0.12, 0.15, 0.6), _box(0.2, 0.12, 0.15, 0.6)),
            _box(0, -0.5, 0.36, 0.12),
        ],
        "hat": [_upper_half(0, 0.2, 0.5), _box(0.1, 0.26, 0.66, 0.07)],
        "pack": [_either(_box(0, 0.1, 0.42, 0.55), _disc(0, -0.4, 0.42)), _box(0, 0.3, 0.28, 0.22)],
        "pair": [_box(-0.3, 0, 0.16, 0.55), _box(-0.3, -0.45, 0.16, 0.08), _box(0.3, 0, 0.16, 0.55)],
    }
    if name in known:
        return known[name]
    tilt = (seed[2] / 255 - 0.5) * 0.5
    return [
        _box(tilt, 0.1 + seed[3] / 1200, 0.34 + seed[4] / 1200, 0.48),
        _disc(-tilt, -0.12, 0.2 + seed[5] / 1000),
        _ring(0, 0, 0.72, 0.02 + seed[6] / 9000),
    ]


def _disc(x: float, y: float, radius: float) -> Shape:
    return lambda u, v: np.hypot(u - x, v - y) - radius


def _ring(x: float, y: float, radius: float, width: float) -> Shape:
    return lambda u, v: abs(np.hypot(u - x, v - y) - radius) - width


def _oval(x: float, y: float, wide: float, high: float) -> Shape:
    return lambda u, v: (np.hypot((u - x) / wide, (v - y) / high) - 1) * min(wide, high)


def _box(x: float, y: float, wide: float, high: float) -> Shape:
    return lambda u, v: np.maximum(abs(u - x) - wide, abs(v - y) - high)


def _trapeze(x: float, y: float, top: float, bottom: float, high: float) -> Shape:
    def distance(u: Plane, v: Plane) -> Plane:
        part = (v - y + high) / (2 * high)
        apart: Plane = np.maximum(abs(u - x) - (top + (bottom - top) * part), abs(v - y) - high)
        return apart

    return distance


def _either(one: Shape, other: Shape) -> Shape:
    return lambda u, v: np.minimum(one(u, v), other(u, v))


def _cross(x: float, y: float, length: float, width: float) -> Shape:
    return _either(_box(x, y, length, width), _box(x, y, width, length))


def _upper_half(x: float, y: float, radius: float) -> Shape:
    return lambda u, v: np.maximum(np.hypot(u - x, v - y) - radius, v - y)


def _lower_half(x: float, y: float, radius: float) -> Shape:
    return lambda u, v: np.maximum(np.hypot(u - x, v - y) - radius, y - v)


def _circle_of_discs(many: int, radius: float, size: float) -> list[Shape]:
    turns = [2 * math.pi * index / many for index in range(many)]
    return [_disc(radius * math.cos(turn), 0.1 + radius * math.sin(turn), size) for turn in turns]


def _colour(hue: float, saturation: float, brightness: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, brightness)
    return round(red * 255), round(green * 255), round(blue * 255)


def _flat(colour: Colour) -> Plane:
    return np.full((HEIGHT, WIDTH, 3), colour, np.float32)


def _blend(under: Plane, over: Colour, part: Plane) -> Plane:
    blended: Plane = under + (np.array(over, np.float32) - under) * part[..., np.newaxis]
    return blended


def _png(rows: bytes) -> bytes:
    """8-bit RGB, as https://www.w3.org/TR/png-3/ says."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows, 6))
        + chunk(b"IEND", b"")
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        found = path.endswith(".png")
        body = draw(path) if found else b"only .png here"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "image/png" if found else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: pictures are asked for by the dozen."""


def main() -> None:
    """Prints {"url"} and serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.images", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with ImageServer(parser.parse_args().port) as server:
        print(json.dumps({"url": server.url}), flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
