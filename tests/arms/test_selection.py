from medsweep.arms.selection import example_selector
from medsweep.corpus import Document, Span


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


def test_random_shows_every_class_in_some_draw_and_classes_in_turn() -> None:
    train = [Document(str(i), "t", label="abcdef"[i % 6]) for i in range(60)]
    drawn = [example_selector(train, 3, "random", seed)(train[0]) for seed in range(20)]
    assert all(len({d.label for d in examples}) == 3 for examples in drawn)
    assert {d.label for examples in drawn for d in examples} == set("abcdef")


def test_random_shows_types_and_labels_that_are_rare() -> None:
    mentions = [Document(f"m{i}", "xy", spans=(Span(0, 1, "A"),)) for i in range(30)]
    rare = Document("rare", "xy", spans=(Span(0, 1, "A"), Span(1, 2, "B")))
    assert rare in example_selector([*mentions, rare], 2, "random", 0)(rare)
    several = [Document(f"s{i}", "t", labels=("a",)) for i in range(30)]
    odd = Document("odd", "t", labels=("a", "b"))
    assert odd in example_selector([*several, odd], 2, "random", 0)(odd)
