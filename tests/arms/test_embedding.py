import numpy as np

from medsweep.arms.embedding import with_neighbours, word_means
from medsweep.training.encode import Window


def test_a_word_is_the_mean_of_its_tokens_between_its_neighbours() -> None:
    words = np.array([-1, 0, 1, 1, 2, -1])
    window = Window(0, (0,) * 6, np.zeros((6, 2), np.int32), words, None, b"")
    states = np.arange(6, dtype=np.float32)[:, None]
    means = word_means(states, window)
    assert means.tolist() == [[1.0], [2.5], [4.0]]
    assert with_neighbours(means).tolist() == [[0, 1, 2.5], [1, 2.5, 4], [2.5, 4, 0]]


def test_a_window_without_words_has_no_features() -> None:
    window = Window(0, (0, 0), np.zeros((2, 2), np.int32), np.array([-1, -1]), None, b"")
    assert with_neighbours(word_means(np.ones((2, 3), np.float32), window)).shape == (0, 9)
