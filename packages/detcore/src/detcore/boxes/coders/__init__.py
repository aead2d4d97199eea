"""Box coders: boxes to regression targets and back."""

from __future__ import annotations

from detcore.boxes.coders.base import BaseBBoxCoder
from detcore.boxes.coders.bucketing import BucketingBBoxCoder
from detcore.boxes.coders.delta import (
    DeltaXYWHBBoxCoder,
    LegacyDeltaXYWHBBoxCoder,
    decode_deltas,
    encode_deltas,
)
from detcore.boxes.coders.distance import (
    DistancePointBBoxCoder,
    decode_distances,
    encode_distances,
)
from detcore.boxes.coders.pseudo import PseudoBBoxCoder
from detcore.boxes.coders.tblr import TBLRBBoxCoder, decode_tblr, encode_tblr
from detcore.boxes.coders.yolo import YOLOBBoxCoder

__all__ = [
    "BaseBBoxCoder",
    "BucketingBBoxCoder",
    "DeltaXYWHBBoxCoder",
    "DistancePointBBoxCoder",
    "LegacyDeltaXYWHBBoxCoder",
    "PseudoBBoxCoder",
    "TBLRBBoxCoder",
    "YOLOBBoxCoder",
    "decode_deltas",
    "decode_distances",
    "decode_tblr",
    "encode_deltas",
    "encode_distances",
    "encode_tblr",
]
