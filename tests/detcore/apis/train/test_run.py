"""How a run begins: its log, in full in the file and short on the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvcore import Config
from detcore.apis.train.run import open_log


def test_config_and_environment_go_to_the_log_file_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cfg = Config({"work_dir": str(tmp_path), "model": {"type": "AnyDetector"}}, filename="a.py")
    logger = open_log(cfg, "20260101_000000", rank=0)
    for handler in logger.handlers[:]:  # the logger outlives this test
        if getattr(handler, "baseFilename", "").startswith(str(tmp_path)):
            logger.removeHandler(handler)
            handler.close()

    text = (tmp_path / "20260101_000000.log").read_text(encoding="utf-8")
    assert "model = dict(type='AnyDetector')" in text
    assert "PyTorch: " in text
    shown = capfd.readouterr()
    assert "AnyDetector" not in shown.out + shown.err
    assert Config.fromfile(tmp_path / "a.py").model.type == "AnyDetector"
