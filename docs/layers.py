"""Draw the layers of medsweep from the contract in pyproject.toml.

python docs/layers.py            # writes docs/layers.svg
"""

from __future__ import annotations

import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
WIDTH, ROW, GAP = 720, 34, 6


def layers(project: Path) -> list[list[str]]:
    """Packages by layer, the uppermost first."""
    contracts = tomllib.loads(project.read_text())["tool"]["importlinter"]["contracts"]
    (rooms,) = (c for c in contracts if c["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in rooms["layers"]]


def purpose(package: str) -> str:
    """The first sentence of a package's docstring."""
    root = HERE.parent / "medsweep"
    path = root / package / "__init__.py"
    text = (path if path.exists() else root / f"{package}.py").read_text()
    return text.split('"""')[1].strip().splitlines()[0].rstrip(".")


def picture(rows: list[list[str]]) -> str:
    """As SVG: what stands higher may import what stands lower."""
    height = len(rows) * (ROW + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, names in enumerate(rows):
        top, wide = GAP + number * (ROW + GAP), (WIDTH - GAP) / len(names)
        for place, name in enumerate(names):
            left = GAP + place * wide
            parts.append(
                f'<rect x="{left:.0f}" y="{top}" width="{wide - GAP:.0f}" height="{ROW}" rx="4" '
                'fill="#eef3f8" stroke="#8aa4bd"/>'
            )
            parts.append(
                f'<text x="{left + 10:.0f}" y="{top + 22}" font-weight="bold">{name}</text>'
            )
            if len(names) == 1:
                parts.append(f'<text x="{left + 110:.0f}" y="{top + 22}">{purpose(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    (HERE / "layers.svg").write_text(picture(layers(HERE.parent / "pyproject.toml")))
