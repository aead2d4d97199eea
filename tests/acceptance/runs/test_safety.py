"""Section E: files from elsewhere are data; none of them runs code or leaves its folder."""
# ruff: noqa: N802 - tests are named by the ids of the faults

from __future__ import annotations

import ast
import hashlib
import io
import os
import pickle
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.acceptance.runs.conftest import ROOT
from torch import nn

from cvcore import Config
from cvcore.errors import (
    ArgumentError,
    CheckpointError,
    ConfigError,
    CvcoreError,
    RegistryError,
)
from cvcore.fileio.archive import ArchiveError, unpack
from cvcore.runner import load_checkpoint, save_checkpoint
from cvcore.runner.checkpoint import read_checkpoint, write_checkpoint
from detcore.cli.train import main as train
from detcore.models import build_detector
from detcore.registries import DETECTORS

CODE = {
    "system": "import os\nos.system('touch CANARY')\n",
    "builtin import": "__import__('os').system('touch CANARY')\n",
    "open": "x = open('CANARY', 'w')\n",
    "eval": "x = eval('1')\n",
    "class attributes": "x = ().__class__.__base__.__subclasses__()\n",
    "format attributes": "x = '{0.__class__}'.format(1)\n",
    "f-string attribute": "x = f'{(1).__class__}'\n",
    "lambda": "x = (lambda: 1)()\n",
    "function": "def f():\n    return 1\n",
    "decorator": "@print\nclass A: pass\n",
    "while": "while True:\n    pass\n",
    "walrus call": "x = [y := exec, y('1')]\n",
}


@pytest.mark.parametrize("case", CODE)
def test_E10_a_python_config_runs_nothing(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "config.py"
    path.write_text("model = dict()\n" + CODE[case].replace("CANARY", str(canary)), "utf-8")
    with pytest.raises(ConfigError) as caught:
        Config.fromfile(path)
    text = str(caught.value)
    assert "config.py" in text
    assert "line 2" in text or "line 3" in text  # a decorated class is named by its own line
    assert "trust" in text
    assert train([str(path), "--work-dir", str(tmp_path / "run")]) == 2
    assert "--trust-config" in capsys.readouterr().err
    assert not canary.exists()


def test_E10_yaml_makes_no_objects(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "config.yaml"
    path.write_text(f"x: !!python/object/apply:os.system ['touch {canary}']\n", "utf-8")
    with pytest.raises(CvcoreError, match=r"config\.yaml"):
        Config.fromfile(path)
    assert not canary.exists()


def _billion_laughs() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 12):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines)


BOMBS: dict[str, Callable[[], str]] = {
    "deep.json": lambda: '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
    "deep.toml": lambda: "a = " + "[" * 100_000 + "]" * 100_000,
    "laughs.yaml": _billion_laughs,
    "power.py": lambda: "x = 9 ** 9 ** 9\n",
    "doubling.py": lambda: "a = [0] * 10\n" + "a = a + a\n" * 60,
    "text.py": lambda: "a = 'x' * 10**12\n",
    "range.py": lambda: "a = list(range(10**12))\n",
    "loops.py": lambda: "a = [1 for i in range(10**6) for j in range(10**6)]\n",
    "deep.py": lambda: "a = " + "[" * 5000 + "]" * 5000 + "\n",
    "wide.json": lambda: '{"a": [' + "0," * 5_000_000 + "0]}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_E10_bombs_do_not_go_off(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(BOMBS[name](), "utf-8")
    begun = time.process_time()
    with pytest.raises(ConfigError):
        Config.fromfile(path)
    assert time.process_time() - begun < 30  # a hang, not a slow machine


def test_E11_bases_in_a_circle_missing_outside_and_a_thousand_deep(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("_base_ = './b.py'\n")
    (tmp_path / "b.py").write_text("_base_ = './a.py'\n")
    with pytest.raises(ConfigError, match=r"a\.py.*b\.py"):
        Config.fromfile(tmp_path / "a.py")

    (tmp_path / "c.py").write_text("_base_ = './gone.py'\n")
    with pytest.raises(CvcoreError, match=r"gone\.py"):
        Config.fromfile(tmp_path / "c.py")

    # A base may lie in a folder above; what it must not be is anything but a config.
    (tmp_path / "secret").write_text("root:x:0:0\n")
    (tmp_path / "inner").mkdir()
    for target in ("../secret", "../../../../../../../../etc/passwd", "/etc/passwd"):
        (tmp_path / "inner" / "d.py").write_text(f"_base_ = {target!r}\n")
        with pytest.raises(CvcoreError) as caught:
            Config.fromfile(tmp_path / "inner" / "d.py")
        assert "root:x" not in str(caught.value)

    for number in range(1000):
        (tmp_path / f"deep{number}.py").write_text(f"_base_ = './deep{number + 1}.py'\n")
    (tmp_path / "deep1000.py").write_text("x = 1\n")
    with pytest.raises(ConfigError, match=r"deep|chain|levels"):
        Config.fromfile(tmp_path / "deep0.py")


def test_E12_a_key_with_a_typo_is_named_with_the_nearest(
    tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = Config.fromfile(tiny_config)
    cfg.model.backbone["pretrain"] = "somewhere"
    with pytest.raises(ArgumentError, match=r"pretrain.*pretrained"):
        build_detector(cfg.model)
    arguments = [str(tiny_config), "--work-dir", str(tmp_path)]
    assert train([*arguments, "--cfg-options", "optimizer.weight_decai=0.9"]) == 2
    assert "nearest: 'weight_decay'" in capsys.readouterr().err


class Attack:
    """A pickle that makes a folder when it is read."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.canary),)


PLACES = ("weights", "meta", "optimizer", "top", "bare pickle", "old format", "metadata")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("use", ["load", "resume", "command"])
def test_E13_a_checkpoint_with_code_is_refused(
    place: str, use: str, tmp_path: Path, tiny_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "epoch_1.pth"
    attack = Attack(canary)
    content: Any = {"state_dict": {}, "meta": {"epoch": 1, "iter": 1}}
    if place == "weights":
        content["state_dict"]["linear.weight"] = attack
    elif place in ("meta", "optimizer"):
        content[place] = {"epoch": 1, "iter": 1, "x": attack}
    elif place == "metadata":
        content["state_dict"] = nn.Linear(1, 1).state_dict()
        content["state_dict"]._metadata["x"] = attack
    else:
        content = attack
    if place == "bare pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=place != "old format")
    if use == "load":
        with pytest.raises(CheckpointError):
            load_checkpoint(nn.Linear(1, 1), path)
    else:
        option = "--resume-from" if use == "resume" else "--cfg-options"
        value = str(path) if use == "resume" else f"load_from={path}"
        arguments = [str(tiny_config), "--work-dir", str(tmp_path / "run"), option, value]
        assert train(arguments) == 2
        assert "epoch_1.pth" in capsys.readouterr().err
    assert not canary.exists()


def calls(tree: ast.AST, owners: tuple[str, ...], name: str) -> list[ast.Call]:
    """Calls of ``owner.name(...)``, or of ``name`` imported from it."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if node.func.attr == name and isinstance(owner, ast.Name) and owner.id in owners:
                found.append(node)
    return found


def test_E13_every_torch_load_is_safe() -> None:
    places = [*(ROOT / "packages").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")]
    assert len(places) > 100
    safe = 0
    for path in places:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in ("torch", "torch.serialization"):
                assert all(alias.name != "load" for alias in node.names), path
        for call in calls(tree, ("torch", "serialization"), "load"):
            keywords = {keyword.arg: keyword.value for keyword in call.keywords}
            only = keywords.get("weights_only")
            assert isinstance(only, ast.Constant), f"{path}:{call.lineno}"
            assert only.value is True, f"{path}:{call.lineno}"
            safe += 1
        for reader in ("load_state_dict_from_url", "load_url"):  # of torch.hub
            assert not calls(tree, ("hub", "model_zoo"), reader), path
    assert safe >= 1


def test_E13_pickles_are_read_only_where_it_is_said() -> None:
    """``pickle.load`` stands only where a caller says trust=True, or a safe reader is built.

    And where a process reads what its own fork left in a memory that has no name.
    """
    allowed = {"fileio/formats.py", "fileio/plain_pickle.py", "coco/collecting.py"}
    for path in (ROOT / "packages").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [*calls(tree, ("pickle",), "load"), *calls(tree, ("pickle",), "loads")]
        if names:
            assert "/".join(path.parts[-2:]) in allowed, path


@pytest.mark.parametrize(
    "text",
    ["__import__('os').mkdir('CANARY')", "import os\nos.mkdir('CANARY')", "'{0.__class__}'"],
)
def test_E14_text_inside_a_checkpoint_is_never_run(
    text: str, tmp_path: Path, trained_run: Path, tiny_config: Path
) -> None:
    canary = tmp_path / "canary"
    content = read_checkpoint(trained_run / "epoch_1.pth")
    content["meta"]["config"] = text.replace("CANARY", str(canary))
    content["meta"]["hook_msgs"] = {"best_ckpt": text.replace("CANARY", str(canary))}
    write_checkpoint(content, tmp_path / "epoch_1.pth")
    arguments = [str(tiny_config), "--work-dir", str(tmp_path / "run"), "--seed", "7"]
    resumed = [*arguments, "--resume-from", str(tmp_path / "epoch_1.pth")]
    assert train([*resumed, "--cfg-options", "runner.max_epochs=1"]) == 0
    assert not canary.exists()


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "torch.nn.Linear", "subprocess:run", "__import__"]
)
def test_E14_a_type_is_a_registered_name_and_never_a_path(name: str) -> None:
    with pytest.raises(RegistryError):
        DETECTORS.build({"type": name})
    with pytest.raises(RegistryError):
        build_detector({"type": name})


def zip_with(path: Path, name: str, link: str | None = None) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", "good")
        info = zipfile.ZipInfo(name)
        if link is not None:
            info.create_system = 3
            info.external_attr = 0o120777 << 16
        archive.writestr(info, link or "bad")


def tar_with(path: Path, name: str, link: str | None = None) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for each, text in (("good.txt", b"good"), (name, b"bad")):
            info = tarfile.TarInfo(each)
            info.size = len(text)
            if each == name and link is not None:
                info.type, info.linkname, info.size = tarfile.SYMTYPE, link, 0
            archive.addfile(info, io.BytesIO(text))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


BAD_MEMBERS = {
    "above": ("../x", None),
    "inside and above": ("a/../../x", None),
    "absolute": ("/tmp/x-of-a-test", None),
    "backslashes": ("..\\x", None),
    "drive": ("C:/x", None),
    "link": ("link", "/etc"),
}


@pytest.mark.parametrize("case", BAD_MEMBERS)
@pytest.mark.parametrize("make", [zip_with, tar_with])
def test_E15_members_that_would_leave_the_folder(
    case: str, make: Callable[..., None], tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    make(archive, *BAD_MEMBERS[case])
    target = tmp_path / "a" / "target"
    with pytest.raises(ArchiveError, match="nothing was unpacked"):
        unpack(archive, target, sha256=digest(archive))
    assert list(target.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "archive"]
    assert not Path("/tmp/x-of-a-test").exists()


@pytest.mark.parametrize("make", [zip_with, tar_with])
def test_E15_a_good_archive_needs_its_digest(make: Callable[..., None], tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    make(archive, "inner/two.txt")
    with pytest.raises(TypeError, match="sha256"):
        unpack(archive, tmp_path / "out")  # type: ignore[call-arg]
    with pytest.raises(ArchiveError, match="download it again"):
        unpack(archive, tmp_path / "out", sha256="0" * 64)
    assert not (tmp_path / "out").exists()
    files = unpack(archive, tmp_path / "out", sha256=digest(archive))
    assert [path.relative_to(tmp_path / "out").as_posix() for path in files] == [
        "good.txt",
        "inner/two.txt",
    ]
    assert files[1].read_text() == "bad"
    with pytest.raises(ArchiveError, match="more than 5 bytes"):
        unpack(archive, tmp_path / "small", sha256=digest(archive), max_bytes=5)


def test_E15_what_is_no_archive_is_named(tmp_path: Path) -> None:
    page = tmp_path / "page.zip"
    page.write_text("<html>404</html>")
    with pytest.raises(ArchiveError, match="neither a zip nor a tar"):
        unpack(page, tmp_path / "out", sha256=digest(page))


def test_our_own_checkpoints_are_readable_without_this_package(tmp_path: Path) -> None:
    save_checkpoint(nn.Linear(2, 2), tmp_path / "own.pth", meta={"epoch": 1})
    assert torch.load(tmp_path / "own.pth", weights_only=True)["meta"]["epoch"] == 1
