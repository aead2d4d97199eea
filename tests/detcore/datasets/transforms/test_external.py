from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from cvcore.errors import MissingExtraError
from detcore.datasets.transforms import Albu, Corrupt, InstaBoost


@pytest.mark.parametrize(
    ("package", "make"),
    [
        ("albumentations", lambda: Albu(transforms=[])),
        ("imagecorruptions", lambda: Corrupt("gaussian_noise")({"img": None})),
        ("instaboostfast", InstaBoost),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_the_pip_line(
    package: str, make: Any
) -> None:
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    with pytest.raises(MissingExtraError, match=rf"'{package}' is not installed.*pip install"):
        make()
