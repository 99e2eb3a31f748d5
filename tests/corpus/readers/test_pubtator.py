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
    concept = (("identifier", "D1"),)
    assert first.spans == (Span(7, 10, "Drug", attributes=concept), Span(17, 20, "Drug"))
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


def test_concepts_and_what_says_that_there_is_none(put: Put) -> None:
    columns = ["D1|D2", "-", "-1", " ", "-1|D3\ta part|another"]
    lines = [f"1\t{n}\t{n + 1}\t{'ASS b'[n]}\tD\t{c}" for n, c in enumerate(columns) if n != 3]
    path = put("a.pubtator", "\n".join(["1|t|ASS b", *lines, f"1\t0\t3\tASS\tD\t{columns[3]}"]))
    changes: Counter[str] = Counter()
    (document,) = scan(path, changes=changes)
    assert document.spans == (
        Span(0, 1, "D", attributes=(("identifier", "D1|D2"),)),
        Span(0, 3, "D"),
        Span(1, 2, "D"),
        Span(2, 3, "D"),
        Span(4, 5, "D", attributes=(("identifier", "-1|D3"),)),
    )
    assert changes == {"names of a mention's parts left out": 1}


def test_titles_follow_without_blank_lines(put: Put) -> None:
    assert [d.id for d in scan(put("a.txt", "1|t|a\n2|t|b"), format="pubtator")] == ["1", "2"]
