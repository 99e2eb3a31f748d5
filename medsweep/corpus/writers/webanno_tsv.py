"""WebAnno TSV 3.3, which WebAnno and INCEpTION import: a folder of ``x.tsv``."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

from medsweep.corpus._base import Document, Span
from medsweep.corpus.readers._utf16 import utf16_length
from medsweep.corpus.writers._base import count_left_out, note_change, visible_hull
from medsweep.corpus.writers._folder import file_names, new_folder

LAYER = "webanno.custom.Mention"
# The feature of the type: the reader takes it before others.
_TYPE = "value"
_TOKEN = re.compile(r"\S+")
_FEATURE = re.compile(r"(?!ROLE_|BT_)[^\W\d]\w*")
_IN_TEXT = str.maketrans(
    {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\b": r"\b", "\f": r"\f"}
)
_IN_VALUE = _IN_TEXT | {ord(c): rf"\{c}" for c in "[]|_;*"}

Place = tuple[int, int]


class WebannoTsv:
    """A file a document, named by its id; a sentence a line of the text, a token a word.

    Mentions are of one layer, with their type as ``value`` and a feature an attribute; a project
    that imports the files needs that layer. What of a mention is less than a token is written as
    a part of it. Files of unannotated documents have no layer.

    White space between sentences belongs to the one before. That at a text's beginning has no
    place: by their offsets, readers fill it with line breaks or spaces.
    """

    name = "webanno-tsv"
    suffixes: tuple[str, ...] = ()

    def write(self, documents: Sequence[Document], path: Path, changes: Counter[str]) -> None:
        """Write the folder, which must not exist or be empty.

        Raises:
            ConfigError: there is something in it.
        """
        with new_folder(path, self.name) as folder:
            count_left_out(documents, changes)
            features = _features([s for d in documents for s in d.spans or ()], changes)
            for name, document in zip(file_names(documents, changes), documents, strict=True):
                lines = _lines(document, features, changes)
                # A carriage return is escaped; no line break may be translated.
                (folder / f"{name}.tsv").write_text("".join(lines), encoding="utf-8", newline="")


def _features(spans: Sequence[Span], changes: Counter[str]) -> dict[str, str]:
    """A feature, which is a Java name, for each field of the mentions' attributes."""
    used = Counter(field for s in spans for field, _ in s.attributes)
    features = {f: f for f in used if _FEATURE.fullmatch(f) and f != _TYPE}
    taken = {_TYPE, *features}
    for field in sorted(used.keys() - features.keys()):
        name = re.sub(r"\W", "_", field)
        name = name if name == _TYPE or _FEATURE.fullmatch(name) else f"_{name}"
        while name in taken:
            name += "_"
        features[field] = name
        taken.add(name)
    renamed = sum(n for field, n in used.items() if features[field] != field)
    note_change(changes, "attributes renamed: their field cannot name a feature", renamed)
    return features


def _lines(document: Document, features: Mapping[str, str], changes: Counter[str]) -> Iterator[str]:
    text, annotated = document.text, document.spans is not None
    # Fields in the order of their features; the type is last.
    fields = sorted(features, key=lambda f: features[f])
    yield "#FORMAT=WebAnno TSV 3.3\n"
    if annotated:
        yield f"#T_SP={LAYER}|{'|'.join([*(features[f] for f in fields), _TYPE])}\n"
    yield "\n"
    tokens = [match.span() for match in _TOKEN.finditer(text)]
    lead = text[: tokens[0][0]] if tokens else ""
    note_change(changes, "texts whose first white space became line breaks", bool(lead.strip("\n")))
    note_change(changes, "texts left out: white space only", not tokens)
    cells = _cells(_in_tokens(document, changes), tokens, fields)
    none = "_\t" * (len(fields) + 1) if annotated else ""
    offsets = list(accumulate((utf16_length(c) for c in text), initial=0))
    for number, (sentence, end) in enumerate(_sentences(text, tokens), 1):
        yield f"\n#Text={text[sentence[0][0] : end].translate(_IN_TEXT)}\n"
        for n, token in enumerate(sentence, 1):
            of_token = cells.get(token, {})
            for part, (a, b) in enumerate([token, *sorted(of_token.keys() - {token})]):
                id_ = f"{number}-{n}.{part}" if part else f"{number}-{n}"
                surface = text[a:b].translate(_IN_TEXT)
                yield f"{id_}\t{offsets[a]}-{offsets[b]}\t{surface}\t{of_token.get((a, b), none)}\n"


def _sentences(text: str, tokens: Sequence[Place]) -> Iterator[tuple[Sequence[Place], int]]:
    """The tokens of each line that has some, and where the next such line's begin."""
    first = [n for n, (a, b) in enumerate(pairwise(tokens), 1) if "\n" in text[a[1] : b[0]]]
    for n, m in pairwise([0, *first, len(tokens)] if tokens else []):
        yield tokens[n:m], tokens[m][0] if m < len(tokens) else len(text)


def _in_tokens(document: Document, changes: Counter[str]) -> list[Span]:
    """The mentions, each from its first visible character to its last, in one piece."""
    made = list[Span]()
    for span in document.spans or ():
        start, end = visible_hull(span, document.text)
        if start == end:
            changes["mentions left out: white space only"] += 1
            continue
        note_change(changes, "mentions in several pieces joined to one", bool(span.fragments))
        trimmed = (start, end) != (span.start, span.end)
        note_change(changes, "white space at the edges of mentions left out", trimmed)
        made.append(Span(start, end, span.type, attributes=span.attributes))
    spans = sorted(set(made))
    note_change(changes, "mentions that became equal joined", len(made) - len(spans))
    return spans


def _cells(
    spans: Sequence[Span], tokens: Sequence[Place], fields: Sequence[str]
) -> dict[Place, dict[Place, str]]:
    """The columns of a token, or of a part of it, for each that has mentions."""
    starts = [start for start, _ in tokens]
    found: dict[Place, dict[Place, list[Span]]] = {}
    numbered = set[Span]()
    for span in spans:
        inside = tokens[bisect_right(starts, span.start) - 1 : bisect_left(starts, span.end)]
        for token in inside:
            part = (max(token[0], span.start), min(token[1], span.end))
            found.setdefault(token, {}).setdefault(part, []).append(span)
        if len(inside) > 1:
            numbered.add(span)
    for parts in found.values():
        numbered.update(*(stacked for stacked in parts.values() if len(stacked) > 1))
    numbers = {span: f"[{n}]" for n, span in enumerate(sorted(numbered), 1)}
    return {
        token: {part: _columns(here, numbers, fields) for part, here in parts.items()}
        for token, parts in found.items()
    }


def _columns(spans: Sequence[Span], numbers: Mapping[Span, str], fields: Sequence[str]) -> str:
    """A cell for each field and one for the type; stacked mentions in the same order in each."""
    cells: list[list[str | None]] = [[dict(s.attributes).get(f) for s in spans] for f in fields]
    cells.append([s.type for s in spans])
    ends = [numbers.get(s, "") for s in spans]
    return "".join(
        "|".join(_value(v) + end for v, end in zip(cell, ends, strict=True)) + "\t"
        for cell in cells
    )


def _value(value: str | None) -> str:
    return "*" if value is None else value.translate(_IN_VALUE).replace("->", r"\->")
