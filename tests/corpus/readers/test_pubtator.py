from collections import Counter
from collections.abc import Callable
from pathlib import Path

from medsweep.corpus import Span, scan

Put = Callable[[str, str], Path]


def test_title_abstract_and_mentions(put: Put) -> None:
    path = put(
        "a.pubtator",
        "1|t|Über | ASS\n1|a|Hilft ASS?\n1\t7\t10\tASS\tDrug\tD1\n1\t17\t20\tASS\tDrug\n"
        "1\tCID\tD1\tD2\n\n2|t|Ohne\n2|a|\n",
    )
    changes: Counter[str] = Counter()
    first, second = scan(path, changes=changes)
    assert (first.id, first.text) == ("1", "Über | ASS Hilft ASS?")
    assert first.spans == (Span(7, 10, "Drug"), Span(17, 20, "Drug"))
    assert (second.text, second.spans, second.source) == ("Ohne ", (), "a.pubtator:7")
    assert changes == {"relations left out": 1}


def test_the_abstracts_mentions_are_moved_together(put: Put) -> None:
    # Both are two off: the title was counted with its white space.
    path = put(
        "a.pubtator", "1|t|ASS\n1|a|ASS, ASS\n1\t0\t3\tASS\tD\n1\t6\t9\tASS\tD\n1\t11\t14\tASS\tD\n"
    )
    changes: Counter[str] = Counter()
    (document,) = scan(path, changes=changes)
    assert document.spans == (Span(0, 3, "D"), Span(4, 7, "D"), Span(9, 12, "D"))
    assert changes == {"mentions moved to where their text is": 2}


def test_titles_follow_without_blank_lines(put: Put) -> None:
    assert [d.id for d in scan(put("a.txt", "1|t|a\n2|t|b"), format="pubtator")] == ["1", "2"]
