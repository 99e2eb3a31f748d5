from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from medsweep.corpus import Document, Span
from medsweep.tasks import head_labels
from medsweep.training.encode import IGNORED, Encoder, Window
from tests.training.conftest import CLASSES, ENTITIES, BaseOf, annotated

TAGS = head_labels(ENTITIES)


def encoder_of(base_of: BaseOf, kind: str) -> Encoder:
    base = base_of(kind, ENTITIES)
    return Encoder(base.tokenizer, ENTITIES, TAGS, base.longest)


def certain(window: Window) -> np.ndarray:
    """Logits of a model that says what the targets say."""
    assert isinstance(window.target, tuple)
    tags = [0 if t == IGNORED else t for t in window.target]
    return np.eye(len(TAGS), dtype=np.float32)[tags]


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("length", [64, 16])
def test_tags_come_back_as_the_spans_they_were(kind: str, length: int, base_of: BaseOf) -> None:
    encoder = encoder_of(base_of, kind)
    documents = annotated(12, 5, words=40)
    windows = encoder.encode(documents, length)
    assert (len(windows) > len(documents)) == (length == 16)
    assert all(len(w.ids) <= length for w in windows)
    bare = [replace(d, spans=None) for d in documents]
    found = encoder.decode(bare, windows, [certain(w) for w in windows])
    for document, prediction in zip(documents, found, strict=True):
        expected = [(s.start, s.end, s.type) for s in _joined(document)]
        assert [(s.start, s.end, s.type) for s in prediction.spans or ()] == expected


def _joined(document: Document) -> tuple[Span, ...]:
    return tuple(sorted(document.spans or ()))


def test_a_dose_ends_where_its_unit_begins(base_of: BaseOf) -> None:
    encoder = encoder_of(base_of, "llama")
    one, other = ENTITIES.labels[:2]
    spans = (Span(0, 3, one), Span(3, 6, other), Span(6, 8, one))
    document = Document("a", "ASS100mg or", spans=spans)
    windows = encoder.encode([document], 64)
    (found,) = encoder.decode([document], windows, [certain(w) for w in windows])
    assert found.spans == spans


def test_a_window_that_begins_within_a_mention_is_no_beginning_of_one(base_of: BaseOf) -> None:
    text = "pain " * 30
    document = Document("a", text.strip(), spans=(Span(5, len(text.strip()), ENTITIES.labels[0]),))
    first, *later = encoder_of(base_of, "bert").encode([document], 16)
    begins = TAGS.index(f"B-{ENTITIES.labels[0]}")
    assert isinstance(first.target, tuple)
    assert first.target.count(begins) == 1
    assert later
    assert all(begins not in w.target for w in later if isinstance(w.target, tuple))


def test_special_tokens_are_ignored(base_of: BaseOf) -> None:
    (window,) = encoder_of(base_of, "bert").encode([Document("a", "pain", spans=())], 16)
    assert isinstance(window.target, tuple)
    assert window.target[0] == window.target[-1] == IGNORED
    assert set(window.target[1:-1]) == {0}


def test_unlabelled_documents_have_no_target(base_of: BaseOf) -> None:
    (window,) = encoder_of(base_of, "bert").encode([Document("a", "pain")], 16)
    assert window.target is None


def test_windows_of_a_class_are_averaged(base_of: BaseOf) -> None:
    base = base_of("bert", CLASSES)
    encoder = Encoder(base.tokenizer, CLASSES, CLASSES.labels, base.longest)
    document = Document("a", "pain and fever " * 20, "never")
    windows = encoder.encode([document], 16)
    logits = [np.zeros(3, np.float32) for _ in windows]
    logits[0] = np.array([0, 9, 0], np.float32)
    (found,) = encoder.decode([document], windows, logits)
    assert found.label == CLASSES.labels[1]
    assert sum(found.scores.values()) == pytest.approx(1)


def test_equal_windows_have_equal_keys(base_of: BaseOf) -> None:
    encoder = encoder_of(base_of, "bert")
    one, two, three = encoder.encode(
        [Document("a", "pain"), Document("b", "pain"), Document("c", "fever")], 16
    )
    assert one.key == two.key != three.key


def test_no_text_is_shown(base_of: BaseOf) -> None:
    (window,) = encoder_of(base_of, "bert").encode([Document("a", "pain", spans=())], 16)
    assert "offsets" not in repr(window)


def test_words_end_at_punctuation_where_the_tokenizer_splits_at_white_space_only() -> None:
    pieces = [
        ("<unk>", 0.0),
        *((p, -1.0) for p in ("▁", "M", "ü", "l", "▁12.", "3.", "3", ",", "e")),
    ]
    inner = Tokenizer(Unigram(pieces, unk_id=0))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", pad_token="▁")
    encoder = Encoder(tokenizer, ENTITIES, TAGS, 64)
    text = "Mül, 12.3, M,e 3."
    document = Document(
        "a", text, spans=(Span(0, 3, "drug"), Span(5, 9, "dose"), Span(15, 16, "dose"))
    )
    for length in (64, 5):
        windows = encoder.encode([document], length)
        (found,) = encoder.decode([document], windows, [certain(w) for w in windows])
        assert found.spans == document.spans
