"""The strength of a linear arm's penalty."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from medsweep.arms.linear import FOLDS, STRENGTHS, class_probabilities, likeliest_strength


def data(documents: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    gold = np.arange(documents) % 3
    return np.eye(3)[gold] @ rng.normal(size=(3, 20)) + noise * rng.normal(
        size=(documents, 20)
    ), gold


@pytest.mark.parametrize("noise", [0.1, 1.5, 4.0])
def test_it_is_what_scikit_learn_finds_on_the_same_folds(noise: float) -> None:
    features, gold = data(90, noise)
    fold = np.empty(90, dtype=int)
    fold[np.argsort(gold, kind="stable")] = np.arange(90) % FOLDS
    search = GridSearchCV(
        LogisticRegression(max_iter=10_000, class_weight="balanced"),
        {"C": list(STRENGTHS)},
        scoring="neg_log_loss",
        cv=PredefinedSplit(fold),
    ).fit(features, gold)
    assert likeliest_strength(features, gold, balanced=True) == search.best_params_["C"]


def test_clean_features_are_trusted_more_than_noise() -> None:
    clean, noisy = (likeliest_strength(*data(60, n), balanced=False) for n in (0.1, 6.0))
    assert clean > noisy


@pytest.mark.parametrize("gold", [[0, 1], [0, 0, 0, 1], [0, 1, 2]])
def test_too_few_documents_of_two_classes_choose_nothing(gold: list[int]) -> None:
    features = np.eye(len(gold))
    assert likeliest_strength(features, np.array(gold), balanced=True) == 1.0


def test_probabilities_are_those_of_the_chosen_strength() -> None:
    features, gold = data(60, 1.0)
    chosen = likeliest_strength(features, gold, balanced=False)
    free = class_probabilities(features, list(gold), features, 3, balanced=False)
    fixed = class_probabilities(features, list(gold), features, 3, balanced=False, c=chosen)
    np.testing.assert_array_equal(free, fixed)
    assert log_loss(gold, free) < np.log(3)
