"""Detectors as ONNX, ``torch.export`` programs and OpenVINO models, and back as detectors.

Importing it registers the operator that exported programs suppress with, so that
``torch.export.load`` knows it.
"""

from detcore.export.detector import ExportedDetector as ExportedDetector
from detcore.export.detector import load_exported as load_exported
from detcore.export.engines import ENGINES as ENGINES
from detcore.export.engines import is_exported as is_exported
from detcore.export.metadata import Metadata as Metadata
from detcore.export.support import check_support as check_support
from detcore.export.verify import Differences as Differences
from detcore.export.verify import compare as compare
from detcore.export.write import WRITERS as WRITERS
from detcore.export.write import trace as trace
from detcore.export.write import write_onnx as write_onnx
from detcore.export.write import write_openvino as write_openvino
from detcore.export.write import write_program as write_program
