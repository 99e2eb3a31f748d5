from medsweep.arms.selection import example_selector
from medsweep.corpus import Document


def test_bm25_finds_the_similar_one_and_puts_it_last() -> None:
    words = ["fever and cough", "broken leg", "cough", "headache"]
    train = [Document(str(i), t, label="x") for i, t in enumerate(words)]
    selector = example_selector(train, 2, "bm25", 0)
    assert [d.id for d in selector(Document("q", "a cough with fever"))] == ["2", "0"]


def test_random_covers_classes() -> None:
    train = [Document(str(i), "t", label="a" if i else "b") for i in range(9)]
    examples = example_selector(train, 2, "random", 5)(train[0])
    assert {d.label for d in examples} == {"a", "b"}
    assert len(example_selector(train, 50, "random", 5)(train[0])) == 9
