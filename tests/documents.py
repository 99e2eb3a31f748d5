"""Small corpora of each task kind."""

from itertools import pairwise

from medsweep.corpus import Document, Span
from tests.conftest import make_documents

DRUGS = ("aspirin", "warfarin", "insulin")


def classification(count: int, seed: int, prefix: str = "d") -> list[Document]:
    rows = make_documents(count, seed, prefix)
    return [Document(r["id"], r["text"], label=r["label"]) for r in rows]


def multilabel(count: int, seed: int, prefix: str = "d") -> list[Document]:
    """Two neighbouring documents as one, with the labels of both; of equal labels with one."""
    rows = make_documents(count + 1, seed, prefix)
    return [
        Document(
            a["id"], f"{a['text']} {b['text']}", labels=tuple(sorted({a["label"], b["label"]}))
        )
        for a, b in pairwise(rows)
    ]


def ner(count: int, prefix: str = "d") -> list[Document]:
    documents = []
    for i in range(count):
        drug = DRUGS[i % 3]
        text = f"the patient was given {drug} {i} mg and seen in clinic"
        start = text.index(drug)
        spans = (Span(start, start + len(drug), "Drug"),)
        documents.append(Document(f"{prefix}{i}", text, spans=spans))
    return documents


def without_gold(documents: list[Document]) -> list[Document]:
    return [Document(d.id, d.text) for d in documents]
