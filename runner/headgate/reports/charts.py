"""Charts of a listing, drawn with matplotlib (the extra `charts`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

from headgate import files
from headgate.handlers.indicators import Floats, series

UP, DOWN, INK, GREY, GRID = "#0f9d76", "#d6455d", "#1f2933", "#7b8794", "#e4e7eb"
BLUE, ORANGE, BAND = "#2f6fde", "#e8912d", "#2f6fde18"
CANDLES: Final = 180
"""Maximum bars drawn as candles, which would be too thin otherwise; beyond it a line is drawn."""
DPI: Final = 130


@dataclass(frozen=True)
class Bars:
    """Adjusted prices, oldest first; the last `shown` are drawn, earlier ones feed the averages."""

    ticker: str
    name: str
    currency: str
    dates: Sequence[date]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    shown: int
    is_made_up: bool = False
    """True: a demo's stand-in made the prices up, and the chart says so."""

    @property
    def part(self) -> slice:
        """Return the slice of bars that are drawn."""
        return slice(max(0, len(self.dates) - self.shown), None)


def draw(bars: Bars, path: Path) -> None:
    """Write a PNG: price with averages and Bollinger bands, volume, RSI, MACD."""
    figure = Figure(figsize=(11, 8), facecolor="white")
    axes = figure.subplots(
        4, 1, sharex=True, gridspec_kw={"height_ratios": [5, 1.2, 1.5, 1.5], "hspace": 0.07}
    )
    figure.subplots_adjust(left=0.03, right=0.925, top=0.905, bottom=0.055)
    for panel in axes:
        _style(panel)
    _price(axes[0], bars)
    _volume(axes[1], bars)
    _rsi(axes[2], bars)
    _macd(axes[3], bars)
    _dates(axes[3], bars.dates[bars.part])
    _title(figure, bars)
    with files.replacing(path, is_shared=True) as file:
        figure.savefig(file, format="png", dpi=DPI)


def _price(panel: Axes, bars: Bars) -> None:
    close, part = bars.close, bars.part
    x = np.arange(len(close[part]))
    middle, spread = series.sma(close, 20), 2 * series.deviation(close, 20)
    panel.fill_between(x, (middle - spread)[part], (middle + spread)[part], color=BAND, lw=0)
    panel.plot(x, (middle + spread)[part], color=BLUE, lw=0.6, alpha=0.5)
    panel.plot(x, (middle - spread)[part], color=BLUE, lw=0.6, alpha=0.5, label="Bollinger 20, 2")
    if len(x) <= CANDLES:
        _candles(panel, x, bars)
    else:
        panel.plot(x, close[part], color=INK, lw=1.2, label="Close")
    panel.plot(x, series.sma(close, 50)[part], color=ORANGE, lw=1.3, label="SMA 50")
    panel.plot(x, series.sma(close, 200)[part], color=GREY, lw=1.3, label="SMA 200")
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    panel.legend(loc="upper left", frameon=False, fontsize=8.5, ncols=4, labelcolor=INK)
    rises = len(close) < 2 or close[-1] >= close[-2]
    _tag(panel, close[-1], f"{close[-1]:,.2f}", UP if rises else DOWN)
    panel.margins(y=0.09)


def _candles(panel: Axes, x: Any, bars: Bars) -> None:
    part = bars.part
    opens, highs, lows, closes = (y[part] for y in (bars.open, bars.high, bars.low, bars.close))
    colours = np.where(closes >= opens, UP, DOWN)
    panel.vlines(x, lows, highs, colors=list(colours), lw=0.9)
    half, least = 0.36, 0.0006 * closes.max()
    bottoms, tops = np.minimum(opens, closes), np.maximum(opens, closes)
    tops = np.maximum(tops, bottoms + least)
    corners = [
        [(i - half, low), (i - half, high), (i + half, high), (i + half, low)]
        for i, low, high in zip(x, bottoms, tops, strict=True)
    ]
    panel.add_collection(PolyCollection(corners, facecolors=colours, edgecolors="none"))


def _volume(panel: Axes, bars: Bars) -> None:
    part = bars.part
    volume, x = bars.volume[part], np.arange(len(bars.volume[part]))
    before = np.concatenate([bars.close[:1], bars.close[:-1]])[part]
    colours = np.where(bars.close[part] >= before, UP, DOWN)
    panel.bar(x, volume, color=colours, width=0.8, alpha=0.55)
    panel.plot(x, series.sma(bars.volume, 20)[part], color=INK, lw=0.9)
    panel.yaxis.set_major_formatter(EngFormatter(sep=""))
    panel.set_ylim(bottom=0)
    _label(panel, "Volume, mean of 20")


def _rsi(panel: Axes, bars: Bars) -> None:
    rsi = series.rsi(bars.close)
    x = np.arange(len(rsi[bars.part]))
    panel.axhspan(30, 70, color=GREY, alpha=0.08, lw=0)
    for level in (30, 70):
        panel.axhline(level, color=GREY, lw=0.7, ls=(0, (4, 4)))
    panel.plot(x, rsi[bars.part], color=BLUE, lw=1.1)
    panel.set_ylim(5, 95)
    panel.set_yticks([30, 70])
    _label(panel, "RSI 14")
    if np.isfinite(rsi[-1]):
        _tag(panel, rsi[-1], f"{rsi[-1]:.1f}", BLUE)


def _macd(panel: Axes, bars: Bars) -> None:
    line, signal = series.macd(bars.close)
    part = bars.part
    x = np.arange(len(line[part]))
    histogram = (line - signal)[part]
    panel.bar(x, histogram, color=np.where(histogram >= 0, UP, DOWN), width=0.8, alpha=0.45)
    panel.axhline(0, color=GREY, lw=0.7)
    panel.plot(x, line[part], color=BLUE, lw=1.1)
    panel.plot(x, signal[part], color=ORANGE, lw=1.1)
    panel.yaxis.set_major_locator(MaxNLocator(4, prune="both"))
    _label(panel, "MACD 12, 26, 9")


def _title(figure: Figure, bars: Bars) -> None:
    last = bars.close[-1]
    figure.text(0.03, 0.955, bars.ticker, fontsize=17, weight="bold", color=INK)
    figure.text(0.03, 0.925, bars.name[:90], fontsize=10, color=GREY)
    if bars.is_made_up:
        figure.text(0.5, 0.955, "Made-up data", fontsize=12, color=DOWN, ha="center")
    text = f"{last:,.2f} {bars.currency}".rstrip()
    figure.text(0.925, 0.955, text, fontsize=17, weight="bold", color=INK, ha="right")
    if len(bars.close) > 1:
        change = 100 * (last / bars.close[-2] - 1)
        colour = UP if change >= 0 else DOWN
        told = f"{change:+.2f} % on {bars.dates[-1]:%d %b %Y}"
        figure.text(0.925, 0.925, told, fontsize=10, color=colour, ha="right")


def _dates(panel: Axes, dates: Sequence[date]) -> None:
    """Label the first bar of each month, or of every few months, so that labels do not touch."""
    firsts = [
        i for i, day in enumerate(dates) if i and (day.year, day.month) != _month(dates[i - 1])
    ]
    step = max(1, -(-len(firsts) // 12))
    firsts = firsts[::step]
    texts = [
        f"{dates[i]:%b}\n{dates[i]:%Y}"
        if nth == 0 or dates[i].year != dates[firsts[nth - 1]].year
        else f"{dates[i]:%b}"
        for nth, i in enumerate(firsts)
    ]
    panel.set_xticks(firsts, texts)
    panel.set_xlim(-1, len(dates) + 0.5)


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def _style(panel: Axes) -> None:
    panel.grid(color=GRID, lw=0.7)
    panel.set_axisbelow(True)
    panel.yaxis.tick_right()
    panel.tick_params(length=0, labelsize=8.5, colors=GREY)
    panel.yaxis.set_major_locator(MaxNLocator(5, prune="both"))
    for side in panel.spines.values():
        side.set_color(GRID)


def _label(panel: Axes, text: str) -> None:
    panel.text(0.008, 0.93, text, transform=panel.transAxes, fontsize=8.5, color=INK, va="top")


def _tag(panel: Axes, value: float, text: str, colour: str) -> None:
    """Write the last value beside the axis, on a coloured background."""
    panel.annotate(
        text,
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        color="white",
        annotation_clip=False,
        bbox={"boxstyle": "round,pad=0.25", "fc": colour, "ec": "none"},
    )
