from __future__ import annotations

import pytest

from cvcore.runner import LogBuffer


def test_averages_weigh_every_value_by_its_count() -> None:
    buffer = LogBuffer()
    buffer.update({"loss": 1.0}, 1)
    buffer.update({"loss": 4.0, "acc": 5.0}, 2)
    assert not buffer.ready

    buffer.average()

    assert buffer.ready
    assert buffer.output == {"loss": 3.0, "acc": 5.0}  # (1 * 1 + 4 * 2) / 3


def test_averages_of_the_newest_values_only() -> None:
    buffer = LogBuffer()
    for value in (1.0, 2.0, 4.0):
        buffer.update({"loss": value})

    buffer.average(2)
    assert buffer.output == {"loss": 3.0}
    buffer.clear_output()
    assert (buffer.output, buffer.ready) == ({}, False)
    assert buffer.val_history == {"loss": [1.0, 2.0, 4.0]}
    buffer.clear()
    assert (buffer.val_history, buffer.n_history) == ({}, {})


def test_wrong_input_is_refused() -> None:
    with pytest.raises(TypeError, match="dict"):
        LogBuffer().update([1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="-1"):
        LogBuffer().average(-1)
