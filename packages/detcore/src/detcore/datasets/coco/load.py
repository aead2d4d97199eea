"""Reading a COCO file by way of its cache."""

from __future__ import annotations

from cvcore.fileio import FileClient
from cvcore.fileio.storage import HardDiskBackend
from detcore.datasets.coco.cache import Cache
from detcore.datasets.coco.reader import FileName, names_of, parse_coco
from detcore.datasets.coco.records import CocoRecords


def load_coco(
    file: str,
    client: FileClient,
    need_annotations: bool = True,
    file_name: FileName | None = None,
) -> CocoRecords:
    """As `read_coco`; a large file on a disk is parsed once, and mapped from then on.

    Args:
        file: Where the client finds it.
        client: The storage.
        need_annotations: Whether a file without the key ``annotations`` is an error.
        file_name: Finds the path of an image in its record; by default it is ``file_name`` there.

    Raises:
        AnnotationError: As of `read_coco`.
    """
    cache = Cache.of(file) if type(client.client) is HardDiskBackend else None
    kept = cache.load() if cache is not None else None
    if kept is not None:
        kept.name_images(names_of(kept.images, file, file_name))
        return kept
    content = client.get(file)
    records, names = parse_coco(content, file, need_annotations, file_name)
    # A file without annotations may be an error to the next who reads it.
    if cache is not None and len(records.ids):
        cache.store(records, content)
    records.name_images(names)
    return records
