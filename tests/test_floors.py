"""Imports go down the floors of docs/architecture.md, and never sideways."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = Path(__file__).resolve().parents[1] / "packages"

# Each row is a floor, the lowest first; what shares a floor does not import each other.
FLOORS = {
    "cvcore": [
        ["errors", "terminal", "version"],
        [
            "allocator",
            "arguments",
            "checks",
            "deprecation",
            "environment",
            "imports",
            "interrupt",
            "lock",
            "log",
            "testing",
            "timer",
            "torch_build",
            "torchvision_library",
            "versions",
        ],
        ["fileio", "progress_bar", "registry"],
        ["config"],
        ["dist", "image", "parallel"],
        ["ops"],
        ["cnn"],
        ["runner"],
    ],
    "detcore": [
        ["errors", "version"],
        ["registries", "structures"],
        ["boxes", "visualization"],
        ["evaluation", "matching"],
        ["compat", "datasets", "models"],
        ["export", "report"],
        ["apis"],
        ["serve"],
        ["cli"],
    ],
    "detcore.models": [
        ["layers", "losses"],
        ["backbones", "necks"],
        ["heads"],
        ["detectors"],
    ],
}
# Old import paths and lazy tops: they re-export from everywhere, and nothing may lean on them.
FACES = {
    "cvcore.device",
    "cvcore.engine",
    "cvcore.utils",
    "detcore.core",
    "detcore.utils",
    "detcore.models.builder",
    "detcore.datasets.builder",
}


def modules(package: str) -> Iterator[tuple[str, Path]]:
    root = PACKAGES / package.split(".", maxsplit=1)[0] / "src"
    for path in sorted((root / Path(*package.split("."))).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path, module: str) -> Iterator[str]:
    """Every project module that a file names, wherever in the file the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_face(module: str) -> bool:
    return any(module == face or module.startswith(f"{face}.") for face in FACES)


def room(package: str, module: str) -> str | None:
    """The part right below ``package`` that a module belongs to."""
    prefix = f"{package}."
    return module.removeprefix(prefix).split(".")[0] if module.startswith(prefix) else None


@pytest.mark.parametrize("package", FLOORS)
def test_imports_only_go_down(package: str) -> None:
    floor_of = {name: level for level, names in enumerate(FLOORS[package]) for name in names}
    wrong = []
    for module, path in modules(package):
        own = room(package, module)
        if own not in floor_of or is_face(module):
            continue
        for target in imports(path, module):
            other = room(package, target)
            if other in floor_of and other != own and floor_of[other] >= floor_of[own]:
                wrong.append(f"{module} imports {target}")
    assert not wrong, "\n".join(sorted(set(wrong)))


@pytest.mark.parametrize("package", FLOORS)
def test_every_room_has_a_floor(package: str) -> None:
    known = {name for names in FLOORS[package] for name in names}
    rooms = {room(package, module) for module, _ in modules(package)} - {None}
    faces = {room(package, face) for face in FACES}
    assert rooms - known - faces <= {"builder"}


def test_cvcore_knows_nothing_of_detcore() -> None:
    for module, path in modules("cvcore"):
        named = [target for target in imports(path, module) if target.startswith("detcore")]
        assert not named, f"{module} imports {named}"


@pytest.mark.parametrize("package", ["cvcore", "detcore"])
def test_nothing_inside_leans_on_the_old_import_paths(package: str) -> None:
    wrong = [
        f"{module} imports {target}"
        for module, path in modules(package)
        if not is_face(module)
        for target in imports(path, module)
        if is_face(target)
    ]
    assert not wrong, "\n".join(wrong)
