import pytest

from medsweep.corpus import Document, Span
from medsweep.corpus.quality import CONTROL, INSIDE, LOST, MOJIBAKE, find_damage


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Mädchen, Größe 1,70 m\u00b2, 37 °C – „gut“", []),
        ("MÃ¤dchen", [MOJIBAKE]),
        ("GrÃ¶ÃŸe", [MOJIBAKE]),
        ("37 Â°C", [MOJIBAKE]),
        ("â€œgutâ€\x9d", [MOJIBAKE]),
        ("M\ufffddchen", [LOST]),
        ("a\x00\x0bb\x1b", [CONTROL]),
        ("a\tb\r\nc", []),
        ("Â", []),
    ],
)
def test_damage_to_characters(text: str, kinds: list[str]) -> None:
    assert [f.kind for f in find_damage([Document("1", text)])] == kinds


def test_mentions_beside_words() -> None:
    text = "Leber- und Nierenschaden"
    spans = {
        "fits": Span(11, 24, "T"),
        "hyphen": Span(0, 5, "T"),
        "inside": Span(11, 16, "T"),
        "pieces": Span(0, 24, "T", ((0, 5), (17, 24))),
    }
    documents = [Document(name, text, spans=(span,)) for name, span in spans.items()]
    assert [(f.kind, f.count, f.ids) for f in find_damage(documents)] == [
        (INSIDE, 2, ("inside", "pieces")),
    ]
