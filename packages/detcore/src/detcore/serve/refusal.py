"""A request that is not served, with the HTTP status that says so."""

from __future__ import annotations

from detcore.errors import DetcoreError


class RefusalError(DetcoreError):
    """A request that is answered with an error; ``status`` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return f"{self.status}: {self.message}"
