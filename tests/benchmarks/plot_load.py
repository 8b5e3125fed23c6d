"""Draw what a task costs against how many there are.

    python tests/benchmarks/plot_load.py [FILE] [--svg FILE]

FILE is what `bench_spawning.py --out FILE` wrote, with the rows `growth` and `load`; without it,
the last full run in the history that has both. The same figures give the same picture, byte by
byte; of a quick run the largest size is left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from bench_spawning import HISTORY
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from spawning import growth, load
from spawning.counted import CPU, MEMORY, STREAM
from spawning.peers import ASYNCIO, OURS, THREADS, TRIO

PICTURE = Path(__file__).parents[2] / ".github" / "assets" / "load.svg"

# Both are read on white and on black.
INK = "#7d8590"
COLOURS = {
    OURS: "#2f81f7",
    STREAM: "#1b9e9e",
    ASYNCIO: "#d9822b",
    TRIO: "#2da44e",
    THREADS: "#a371f7",
}
STYLE = {
    "svg.hashsalt": "aurora",
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.5,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    ),
    "grid.color": INK,
}

Points = Sequence[tuple[int, float]]
Rows = Mapping[str, Mapping[str, Any]]


def main() -> None:
    """Read and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE")
    parser.add_argument("--svg", type=Path, default=PICTURE, help="where to draw it")
    options = parser.parse_args()
    text = (options.file or HISTORY).read_text(encoding="utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    fitting = [each for each in records if {"growth", "load"} <= set(each["rows"])]
    # A quick load is no load; a file that was named is drawn as it is.
    fitting = [each for each in fitting if options.file or not each["quick"]]
    if not fitting:
        parser.error("there is no full run with the rows growth and load")
    rows = {name: table["figures"] for name, table in fitting[-1]["rows"].items()}
    with mpl.rc_context(STYLE):
        picture = draw(rows, with_load=not fitting[-1]["quick"])
        picture.savefig(options.svg, transparent=True, metadata={"Date": None, "Creator": None})


def draw(rows: Rows, *, with_load: bool) -> Figure:
    """Three pictures side by side, one legend above."""
    picture = Figure(figsize=(10.5, 4.1), layout="constrained")
    cpu, memory, limits = picture.subplots(1, 3)
    names = [name for name in COLOURS if name in rows["growth"]]
    for name in names:
        for axes, figure in ((cpu, CPU), (memory, MEMORY)):
            points = [
                (tasks, rows["growth"][name][growth.in_line(tasks, figure)])
                for tasks in growth.TASKS
            ]
            if with_load and name in rows["load"]:
                points.append((load.COUNT, rows["load"][name][figure]))
            _line(axes, name, points)
        at_once = [
            (limit, rows["growth"][name][growth.at_once(limit, CPU)]) for limit in growth.LIMITS
        ]
        _line(limits, name, at_once)
    in_line = f"tasks, {growth.LIMIT} at once"
    _label(cpu, "CPU a task", in_line, "µs")
    _label(memory, "Memory at the peak, all tasks", in_line, "MB", rising="log")
    _label(limits, "CPU a task", "at once, 1,000 tasks", "µs")
    picture.legend(*cpu.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return picture


def _line(axes: Axes, name: str, points: Points) -> None:
    dashed = name == STREAM
    axes.plot(
        *zip(*points, strict=True),
        label=name,
        color=COLOURS[name],
        linestyle="--" if dashed else "-",
        marker="s" if dashed else "o",
        zorder=3 if name in (OURS, STREAM) else 2,
    )


def _label(axes: Axes, title: str, across: str, up: str, rising: str = "linear") -> None:
    axes.set(title=title, xlabel=across, ylabel=up, xscale="log", yscale=rising)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,g}")
    if rising == "linear":
        axes.set_ylim(bottom=0)
    axes.grid(visible=True)


if __name__ == "__main__":
    main()
