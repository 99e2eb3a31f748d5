"""brat stand-off: a folder of ``x.txt`` with ``x.ann`` beside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medsweep.corpus._base import Document, Span
from medsweep.corpus.writers._base import count_left_out, note_change
from medsweep.corpus.writers._folder import file_names, new_folder

_BOM = "\ufeff"


class Brat:
    """A pair of files a document, named by its id; without annotation the ``.txt`` alone.

    ``annotation.conf`` lists types and attributes, which brat wants to know. What is read back
    comes in the order of the file names.
    """

    name = "brat"
    suffixes: tuple[str, ...] = ()

    def write(self, documents: Sequence[Document], path: Path, changes: Counter[str]) -> None:
        """Write the folder, which must not exist or be empty.

        Raises:
            ConfigError: there is something in it.
        """
        with new_folder(path, self.name) as folder:
            count_left_out(documents, changes)
            written = [_expressible(d, changes) for d in documents]
            for name, document in zip(file_names(documents, changes), written, strict=True):
                _write(document, folder / name)
            spans = [s for d in written for s in d.spans or ()]
            (folder / "annotation.conf").write_text(_configuration(spans), encoding="utf-8")


def _expressible(document: Document, changes: Counter[str]) -> Document:
    """In types, fields and values of one word, without what readers take for a byte order mark."""
    document = _without_mark(document, changes)
    if document.spans is None:
        return document
    spans = [
        replace(
            s,
            type=_one_word(s.type),
            attributes=tuple(sorted({_one_word(f): _one_word(v) for f, v in s.attributes}.items())),
        )
        for s in document.spans
    ]
    renamed = sum(a.type != b.type for a, b in zip(spans, document.spans, strict=True))
    note_change(changes, "mentions whose type was written with _ for spaces", renamed)
    pairs = zip(spans, document.spans, strict=True)
    changed = sum(len({*a.attributes} - {*b.attributes}) for a, b in pairs)
    note_change(changes, "attributes written with _ for spaces", changed)
    pairs = zip(spans, document.spans, strict=True)
    lost = sum(len(b.attributes) - len(a.attributes) for a, b in pairs)
    note_change(changes, "attributes left out: another one has their name", lost)
    kept = sorted(set(spans))
    note_change(changes, "mentions that became equal joined", len(spans) - len(kept))
    return replace(document, spans=tuple(kept))


def _one_word(name: str) -> str:
    return "_".join(name.split())


def _without_mark(document: Document, changes: Counter[str]) -> Document:
    text = document.text.lstrip(_BOM)
    cut = len(document.text) - len(text)
    if not cut:
        return document
    changes["byte order marks left out"] += 1
    inside = [s for s in document.spans or () if s.start >= cut]
    note_change(
        changes, "mentions of byte order marks left out", len(document.spans or ()) - len(inside)
    )
    moved = [s.moved(-cut) for s in inside]
    return replace(document, text=text, spans=None if document.spans is None else tuple(moved))


def _write(document: Document, path: Path) -> None:
    # Offsets count characters of the file, so that no line break may be translated.
    Path(f"{path}.txt").write_text(document.text, encoding="utf-8", newline="")
    if document.spans is not None:
        lines = [_line(n, s, document.text) for n, s in enumerate(document.spans, 1)]
        attributes = ((n, *a) for n, s in enumerate(document.spans, 1) for a in s.attributes)
        lines += [
            f"A{number}\t{field} T{n}{'' if value == 'true' else f' {value}'}\n"
            for number, (n, field, value) in enumerate(attributes, 1)
        ]
        Path(f"{path}.ann").write_text("".join(lines), encoding="utf-8", newline="")


def _line(number: int, span: Span, text: str) -> str:
    pieces = span.fragments or ((span.start, span.end),)
    offsets = ";".join(f"{a} {b}" for a, b in pieces)
    surface = " ".join(text[a:b] for a, b in pieces).replace("\r\n", "\n")
    surface = re.sub(r"[\r\n\t]", " ", surface)
    return f"T{number}\t{span.type} {offsets}\t{surface}\n"


def _configuration(spans: Sequence[Span]) -> str:
    values: dict[str, set[str]] = {}
    for span in spans:
        for field, value in span.attributes:
            values.setdefault(field, set()).add(value)
    attributes = [
        f"{field} Arg:<ENTITY>" + ("" if of == {"true"} else f", Value:{'|'.join(sorted(of))}")
        for field, of in sorted(values.items())
    ]
    types = sorted({s.type for s in spans})
    parts = ["[entities]", *types, "[relations]", "[events]", "[attributes]", *attributes, ""]
    return "\n".join(parts)
