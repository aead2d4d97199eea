"""What a server allows and how it batches."""

from __future__ import annotations

from dataclasses import dataclass

from detcore.errors import OptionError


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Limits and batching of one server.

    Raises:
        OptionError: A number is outside what makes sense.
    """

    score_thr: float = 0.3  # where a request names none
    batch_size: int = 4  # pictures that go through the network together, at most
    max_wait: float = 0.01  # seconds that the first of a batch waits for more
    max_queue: int = 64  # requests taken in at a time; the next one is answered 503
    max_bytes: int = 20_000_000  # of a request's body
    max_pixels: int = 50_000_000  # of a picture
    timeout: float = 60.0  # seconds for a request, from its first byte to its answer
    allow_urls: bool = False  # whether a request may name an address to fetch a picture from

    def __post_init__(self) -> None:
        if not 0 <= self.score_thr <= 1:
            raise OptionError(f"score_thr is a number from 0 to 1, not {self.score_thr}")
        if self.max_wait < 0:
            raise OptionError(f"max_wait is 0 or more seconds, not {self.max_wait}")
        for name in ("batch_size", "max_queue", "max_bytes", "max_pixels", "timeout"):
            if getattr(self, name) <= 0:
                raise OptionError(f"{name} should be above 0, not {getattr(self, name)}")
