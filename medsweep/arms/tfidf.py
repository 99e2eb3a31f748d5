"""What counting words can do: TF-IDF, or words and their neighbours, and logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

from medsweep.arms.linear import LinearArm, class_probabilities, classify, labelled
from medsweep.corpus import Document
from medsweep.prompting.tagging import spans_of, tags_of, words_of
from medsweep.tasks import head_labels
from medsweep.tasks.prediction import Prediction


class Tfidf(LinearArm):
    """Whole documents: TF-IDF of words and pairs of words. NER: a tag for each word.

    NER looks at a word, its shape, beginning and end, and at two neighbours on either side;
    tags are chosen one by one, without a model of their order.
    """

    def _classify(self, train: Sequence[Document], test: Sequence[Document]) -> list[Prediction]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        train = labelled(self._task, train)
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        # A word of its own for every text: a vocabulary without a word is an error otherwise.
        mark = "medsweepdocument"
        fitted = vectorizer.fit_transform([f"{d.text} {mark}" for d in train] or [mark])
        features = vectorizer.transform([f"{d.text} {mark}" for d in test]) if test else fitted[:0]
        return classify(self._task, train, fitted, test, features)

    def _tag(self, train: Sequence[Document], test: Sequence[Document]) -> list[Prediction]:
        from sklearn.feature_extraction import DictVectorizer

        names = head_labels(self._task)
        rows: list[dict[str, float]] = []
        targets: list[int] = []
        for document in train:
            if document.spans is None:
                continue
            words = words_of(document.text)
            spans = [s for s in document.spans if s.type in self._task.labels]
            rows += _features(document.text, words)
            targets += [names.index(t) for t in tags_of(words, spans)]
        if not rows:
            return [Prediction(d.id, spans=()) for d in test]
        vectorizer = DictVectorizer()
        fitted = vectorizer.fit_transform(rows)
        words_by_document = [words_of(d.text) for d in test]
        test_rows = [
            f for d, w in zip(test, words_by_document, strict=True) for f in _features(d.text, w)
        ]
        best = class_probabilities(
            fitted,
            targets,
            vectorizer.transform(test_rows) if test_rows else fitted[:0],
            len(names),
            balanced=False,
            c=10.0,
            tol=1e-3,
        ).argmax(axis=1)
        predictions, place = [], 0
        for document, words in zip(test, words_by_document, strict=True):
            tags = [names[i] for i in best[place : place + len(words)]]
            place += len(words)
            predictions.append(Prediction(document.id, spans=spans_of(words, tags)))
        return predictions


def _features(text: str, words: Sequence[tuple[int, int]]) -> list[dict[str, float]]:
    forms = [text[a:b] for a, b in words]
    lower = [f.lower() for f in forms]
    rows = []
    for i, form in enumerate(forms):
        keys = [f"w={lower[i]}", f"s={_shape(form)}", f"<={lower[i][:3]}", f">={lower[i][-3:]}"]
        keys.append(f">>={lower[i][-2:]}")
        for shift in (-2, -1, 1, 2):
            other = lower[i + shift] if 0 <= i + shift < len(forms) else ""
            keys.append(f"{shift}={other}")
            if abs(shift) == 1:
                keys.append(f"{shift}>={other[-3:]}")
                keys.append(f"{shift}+={min(other, lower[i])}|{max(other, lower[i])}")
        rows.append(dict.fromkeys(keys, 1.0))
    return rows


def _shape(form: str) -> str:
    """``Ab`` for Aspirin, ``A`` for MRI, ``0`` for numbers, else the sign or ``a``."""
    if form.isdigit():
        return "0"
    if not form.isalpha():
        return form
    if form.islower():
        return "a"
    return "A" if form.isupper() else "Ab" if form[1:].islower() else "aB"
