"""The checksum inside a checkpoint: the comment that the zip format allows at a file's end.

A checkpoint of torch is a zip archive, whose last 22 bytes close it and end with the length of a
comment. Readers that do not know this comment pass over it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO, Any

import torch

from cvcore.errors import CheckpointError

MARK = b"cvcore sha256 "
COMMENT_LENGTH = len(MARK) + 64
NO_COMMENT = bytes(2)
END_SIGNATURE = b"PK\x05\x06"
END_LENGTH = 22  # of the record that closes an archive, without the comment
BLOCK = 1 << 20


class DigestingFile:
    """A file for writing that computes the digest of what goes through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        """Write bytes, which come once and in order."""
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        """Flush the file."""
        self.file.flush()


def write_sealed(content: Any, file: IO[bytes]) -> None:
    """Write ``content`` as torch does, and close the file with its checksum."""
    through = DigestingFile(file)
    torch.save(content, through)
    file.seek(-len(NO_COMMENT), os.SEEK_END)
    file.write(COMMENT_LENGTH.to_bytes(2, "little"))
    file.write(MARK + through.digest.hexdigest().encode())


def verify_file(path: Path) -> bool:
    """Compare a file with the checksum inside it.

    Returns:
        Whether there is one; files that others wrote have none.

    Raises:
        CheckpointError: The bytes are not those that were written.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size <= COMMENT_LENGTH:
            return False
        file.seek(-min(size, END_LENGTH + COMMENT_LENGTH), os.SEEK_END)
        tail = file.read()
        comment = tail[-COMMENT_LENGTH:]
        if not comment.startswith(MARK):
            if _announces_comment(tail):
                raise damaged(path, "its end is cut off")
            return False
        file.seek(0)
        digest = hashlib.sha256()
        # What was digested ends in a length of zero where the file now has the comment's.
        remaining = size - COMMENT_LENGTH - len(NO_COMMENT)
        while remaining > 0:
            block = file.read(min(BLOCK, remaining))
            if not block:
                break
            digest.update(block)
            remaining -= len(block)
    digest.update(NO_COMMENT)
    if digest.hexdigest().encode() != comment[len(MARK) :]:
        raise damaged(path, "its checksum does not match")
    return True


def _announces_comment(tail: bytes) -> bool:
    """Whether an archive that ends in ``tail`` should have a comment like ours."""
    _, found, rest = tail.rpartition(END_SIGNATURE)
    length = rest[END_LENGTH - len(END_SIGNATURE) - 2 :][:2]
    return bool(found) and length == COMMENT_LENGTH.to_bytes(2, "little")


def damaged(path: str | Path, reason: object) -> CheckpointError:
    """The error for a file that cannot be trusted."""
    return CheckpointError(
        f"checkpoint {path} is damaged: {reason}. Check the path; take an earlier one, or copy or "
        "download it again"
    )
