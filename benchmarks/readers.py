"""How long does reading take? 500 documents of 2,000 characters with mentions, in every format.

    nice python benchmarks/readers.py                         # a table: CPU seconds a reader
    nice python benchmarks/readers.py --only conll cas-xmi --profile

Prints markdown. Times are CPU seconds of this process, the less of two runs, without imports.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import random
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pandas as pd

from medsweep.corpus import Document, Span, scan
from medsweep.corpus.writers import WRITERS

DOCUMENTS, CHARACTERS, RUNS = 500, 2000, 2
WORDS = re.split(
    " ",
    "Patientin mit Schmerzen in der Brust seit gestern, kein Fieber. Größe 170 cm, Gewicht 64 kg. "
    "Medikation: ASS 100 mg einmal täglich, Bisoprolol 2,5 mg zweimal täglich. Übelkeit verneint.",
)


def make(count: int, seed: int = 0) -> list[Document]:
    """Documents of words in sentences, every tenth word a mention."""
    rng = random.Random(seed)
    return [_document(rng, number) for number in range(count)]


def _document(rng: random.Random, number: int) -> Document:
    text, spans = "", list[Span]()
    while len(text) < CHARACTERS:
        word = rng.choice(WORDS)
        if rng.random() < 0.1 and word[0].isalpha():
            bare = word.rstrip(".,:")
            spans.append(Span(len(text), len(text) + len(bare), rng.choice(("Drug", "Finding"))))
        text += word + ("\n" if word.endswith(".") else " ")
    return Document(f"d{number}", text.rstrip(), spans=tuple(spans), group=f"p{number // 2}")


def _xmi(document: Document) -> str:
    """As INCEpTION writes it: tokens and sentences beside the layer."""
    tokens = [w.span() for w in re.finditer(r"\w+|[^\w\s]", document.text)]
    rows = [
        f'<type:Token xmi:id="{n}" sofa="1" begin="{a}" end="{b}"/>'
        for n, (a, b) in enumerate(tokens, 10)
    ]
    rows += [
        f'<custom:Med xmi:id="{n}" sofa="1" begin="{s.start}" end="{s.end}" value="{s.type}"/>'
        for n, s in enumerate(document.spans or (), 10 + len(tokens))
    ]
    members = " ".join(map(str, range(10, 10 + len(rows))))
    return "\n".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"',
            ' xmlns:custom="http:///webanno/custom.ecore" xmi:version="2.0"',
            ' xmlns:type="http:///de/tudarmstadt/ukp/dkpro/core/api/segmentation/type.ecore">',
            '<cas:NULL xmi:id="0"/>',
            *rows,
            '<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text"',
            f" sofaString={quoteattr(document.text, {chr(10): '&#10;'})}/>",
            f'<cas:View sofa="1" members="{members}"/>',
            "</xmi:XMI>",
        )
    )


def _pubtator(document: Document) -> str:
    flat = document.text.replace("\n", " ")
    title, _, rest = flat.partition(". ")
    number = document.id.removeprefix("d")
    rows = [
        f"{number}\t{s.start}\t{s.end}\t{flat[s.start : s.end]}\t{s.type}"
        for s in document.spans or ()
    ]
    return "\n".join((f"{number}|t|{title}.", f"{number}|a|{rest}", *rows, ""))


def _bioc(document: Document) -> str:
    rows = "".join(
        f'<annotation id="{n}"><infon key="type">{s.type}</infon><location offset="{s.start}" '
        f'length="{s.end - s.start}"/><text>{escape(document.text[s.start : s.end])}</text>'
        "</annotation>"
        for n, s in enumerate(document.spans or ())
    )
    return (
        f"<document><id>{document.id}</id><passage><offset>0</offset><text>"
        f"{escape(document.text)}</text>{rows}</passage></document>"
    )


def _pubannotation(document: Document) -> str:
    return json.dumps(
        {
            "sourceid": document.id,
            "text": document.text,
            "denotations": [
                {"id": f"T{n}", "span": {"begin": s.start, "end": s.end}, "obj": s.type}
                for n, s in enumerate(document.spans or ())
            ],
        }
    )


def _rows(documents: list[Document]) -> pd.DataFrame:
    entities = [
        json.dumps([{"start": s.start, "end": s.end, "type": s.type} for s in d.spans or ()])
        for d in documents
    ]
    return pd.DataFrame(
        {"id": [d.id for d in documents], "text": [d.text for d in documents], "entities": entities}
    )


def write_all(documents: list[Document], folder: Path) -> dict[str, Path]:
    """The documents in every format, by the reader's name."""
    paths = {}
    for name, suffix in (("jsonl", ".jsonl"), ("csv", ".csv"), ("conll", ".conll"), ("brat", "")):
        paths[name] = folder / f"{name}{suffix}"
    paths["webanno-tsv"] = folder / "webanno-tsv"
    for name, path in paths.items():
        WRITERS[name].write(documents, path, Counter())
    for name, suffix, one in (
        ("cas-xmi", "xmi", _xmi),
        ("pubannotation", "json", _pubannotation),
    ):
        paths[name] = folder / name
        paths[name].mkdir()
        for document in documents:
            (paths[name] / f"{document.id}.{suffix}").write_text(one(document), encoding="utf-8")
    paths["pubtator"] = folder / "a.pubtator"
    paths["pubtator"].write_text("\n".join(map(_pubtator, documents)), encoding="utf-8")
    paths["bioc"] = folder / "bioc.xml"
    paths["bioc"].write_text(f"<collection>{''.join(map(_bioc, documents))}</collection>")
    paths["parquet"], paths["xlsx"] = folder / "a.parquet", folder / "a.xlsx"
    _rows(documents).to_parquet(paths["parquet"])
    _rows(documents).to_excel(paths["xlsx"], index=False)
    return paths


def seconds(path: Path, name: str) -> tuple[float, int, int]:
    """CPU seconds of the quickest run; documents and mentions that were read."""
    took, documents = [], list[Document]()
    for _ in range(RUNS):
        begun = time.process_time()
        documents = list(scan(path, format=name))
        took.append(time.process_time() - begun)
    return min(took), len(documents), sum(len(d.spans or ()) for d in documents)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--only", nargs="+", help="readers")
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_all(make(options.documents), Path(folder))
        print("| reader | CPU seconds | documents | mentions |\n| --- | --- | --- | --- |")
        for name in options.only or paths:
            took, documents, mentions = seconds(paths[name], name)
            print(f"| `{name}` | {took:.2f} | {documents} | {mentions} |", flush=True)
            if options.profile:
                with cProfile.Profile() as profile:
                    list(scan(paths[name], format=name))
                pstats.Stats(profile).sort_stats("tottime").print_stats(16)


if __name__ == "__main__":
    main()
