"""Synthetic corpora of our own making: same seed, same files, no download and no patient.

``smoking``: English discharge notes in the XML of the i2b2 2006 smoking challenge.
``smoking-short``: such notes in a few lines, where others smoke as well: for the quickstart.
``cardiology``: German letters as JSONL, with the six medication types of CARDIO:DE.
``cardiology-findings``: such letters that have ejection fractions and other findings as well.
"""

from __future__ import annotations

from pathlib import Path

from medsweep.errors import InputError

# name -> documents in train and test
SAMPLES = {
    "smoking": (400, 200),
    "smoking-short": (1200, 300),
    "cardiology": (240, 120),
    "cardiology-findings": (240, 120),
}

__all__ = ["SAMPLES", "write_sample"]


def write_sample(
    name: str,
    folder: Path | str,
    *,
    seed: int = 0,
    train: int | None = None,
    test: int | None = None,
) -> list[Path]:
    """Write a sample's training and test documents into ``folder``, and a sweep file for them.

    Args:
        name: one of ``SAMPLES``.
        folder: made where it is missing.
        seed: the same seed gives the same bytes.
        train: training documents; None takes the sample's usual number.
        test: test documents, none of whose texts is among the training documents.

    Returns:
        The files written: training documents, test documents, ``sweep.yaml``.

    Raises:
        InputError: there is no such sample, an amount is below 1, or a file exists already.
    """
    if name not in SAMPLES:
        raise InputError(f"no sample {name!r}", fix=f"use one of {', '.join(SAMPLES)}")
    usual_train, usual_test = SAMPLES[name]
    amounts = (
        usual_train if train is None else train,
        usual_test if test is None else test,
    )
    if min(amounts) < 1:
        raise InputError(f"sample {name} needs at least one document in train and in test")
    suffix = "xml" if _of_smoking(name) else "jsonl"
    folder = Path(folder)
    paths = [folder / f"train.{suffix}", folder / f"test.{suffix}", folder / "sweep.yaml"]
    for path in paths:
        if path.exists():
            raise InputError("exists already", where=str(path), fix="name another folder")
    texts = [*_documents(name, amounts, seed), _sweep(name, paths, amounts[0])]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts, strict=True):
            # Bytes, so that line ends are the same on every system.
            path.write_bytes(text.encode())
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", where=str(folder), fix="name another folder"
        ) from None
    return paths


def _documents(name: str, amounts: tuple[int, int], seed: int) -> list[str]:
    import numpy as np

    from medsweep.corpus.samples import cardiology, smoking, smoking_short

    taken: set[str] = set()
    texts = []
    # A stream a split: more training documents leave the test documents as they are. Test goes
    # first for the same reason: training documents give way where texts coincide.
    streams = np.random.SeedSequence(seed).spawn(2)
    for split, amount, stream in reversed(
        list(zip(("train", "test"), amounts, streams, strict=True))
    ):
        rng = np.random.default_rng(stream)
        if _of_smoking(name):
            write = smoking_short.notes if name == "smoking-short" else smoking.notes
            texts.append(smoking.to_xml(write(amount, rng, taken)))
        else:
            more = name == "cardiology-findings"
            made = cardiology.letters(amount, rng, taken, f"{split}-patient", more=more)
            texts.append(cardiology.to_jsonl(made, split))
    return texts[::-1]


def _of_smoking(name: str) -> bool:
    return name.startswith("smoking")


def _sweep(name: str, paths: list[Path], amount: int) -> str:
    from medsweep.corpus.samples.sweepfile import sweep_text

    what = {
        "smoking": "Smoking status of synthetic English discharge notes, five classes.",
        "smoking-short": "Smoking status of short synthetic English discharge notes, five classes.",
        "cardiology": "Medication in synthetic German cardiology letters, six types.",
        "cardiology-findings": "Medication, ejection fractions and findings in synthetic German "
        "cardiology letters, eight types.",
    }[name]
    return sweep_text(
        file=paths[2].as_posix(),
        name=f"sample-{name}",
        purpose=what,
        kind="classification" if _of_smoking(name) else "ner",
        train=paths[0].name,
        test=paths[1].name,
        how={"format": "i2b2-smoking" if _of_smoking(name) else "jsonl"},
        amount=amount,
        layers="3",
        rules=_of_smoking(name),
    )
