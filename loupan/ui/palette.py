"""The colours of both themes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Colours:
    """The colours of one theme; series come from the Okabe–Ito palette, which colour-blind readers can tell apart."""

    surface: str
    ink: str
    on_primary: str
    muted: str
    grid: str
    faint: str
    main: str
    accent: str
    good: str
    bad: str
    band: str
    series: tuple[str, ...]
    heat: tuple[str, ...]


COLOURS = {
    "light": Colours(
        surface="#ffffff",
        ink="#17212e",
        on_primary="#ffffff",
        muted="#5b6878",
        grid="#e3e8ee",
        faint="#b4bfcb",
        main="#0072B2",
        accent="#C77700",
        good="#00795A",
        bad="#C24E00",
        band="rgba(0,114,178,0.14)",
        series=("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A949F"),
        heat=("#f1f6fb", "#d3e4f3", "#a6cae6", "#63a3d0", "#0a5a98"),
    ),
    "dark": Colours(
        surface="#16212e",
        ink="#e6ecf3",
        on_primary="#0b1722",
        muted="#9aa8b8",
        grid="#263444",
        faint="#5a6878",
        main="#56B4E9",
        accent="#F0B040",
        good="#2CC295",
        bad="#FF8A4C",
        band="rgba(86,180,233,0.18)",
        series=("#56B4E9", "#E69F00", "#2CC295", "#CC79A7", "#F0E442", "#FF7F3F", "#8A98A8"),
        heat=("#17222f", "#1c3f5e", "#22628f", "#3590c6", "#86cdf5"),
    ),
}
