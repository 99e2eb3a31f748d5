import numpy as np
import pytest

from medsweep.prompting.likelihood import likeliest_label


def test_windows_are_averaged_before_the_softmax() -> None:
    prediction = likeliest_label("d", ("a", "b"), np.log([[0.2, 0.8], [0.9, 0.1]]))
    odds = (0.2 * 0.9) ** 0.5 / (0.8 * 0.1) ** 0.5
    assert prediction.label == "a"
    assert prediction.scores == pytest.approx({"a": odds / (1 + odds), "b": 1 / (1 + odds)})
