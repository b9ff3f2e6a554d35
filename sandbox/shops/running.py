"""Serving a sandbox's shop or supplier inside a test, or as a process that says when it is ready."""

import json
import signal
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Running(ABC):
    """`with` it serves until the block ends."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def description(self) -> dict[str, str]:
        """What a client must know."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(shop: Running) -> None:
    """Until SIGTERM or SIGINT; its description is printed as one JSON line when it is ready."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with shop:
        print(json.dumps(shop.description()), flush=True)
        stopped.wait()
