"""A bar chart as SVG, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_ROW, _LABEL, _WIDTH = 34, 300, 380


def bars(title: str, values: Mapping[str, float]) -> str:
    """Give horizontal bars, the largest value as wide as the picture allows."""
    height = 48 + _ROW * len(values)
    longest = max(values.values())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="14">',
        "<style>text{fill:#1b2430}rect{fill:#1f5fd0}"
        "@media(prefers-color-scheme:dark){text{fill:#e8edf4}rect{fill:#7db0ff}}</style>",
        f'<text x="0" y="22" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    for number, (name, value) in enumerate(values.items()):
        top = 40 + number * _ROW
        wide = _WIDTH * value / longest
        parts.append(f'<text x="0" y="{top + 16}">{escape(name)}</text>')
        parts.append(f'<rect x="{_LABEL}" y="{top}" width="{wide:.1f}" height="22" rx="4"/>')
        parts.append(f'<text x="{_LABEL + wide + 8:.1f}" y="{top + 16}">{value:.2f}</text>')
    return "\n".join([*parts, "</svg>", ""])
