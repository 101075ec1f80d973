"""The weights of sources on literal paths: counted in SQL as journeys are counted one by one."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loupan.mining import Abstain
from loupan.mining.result import check
from loupan.statistics.removal import Journeys, counted, spread
from pipelines.mining.models import attribution_spread as model
from tests.pipelines.mining.literal import marts_of

SOURCES = pd.DataFrame(
    {
        "source_id": [1, 2, 3, 4],
        # Two sources of one name are one channel.
        "source_name": ["Fair", "Web", "Web", "Unused"],
        "market_type": ["event", "online", "online", "other"],
    }
)
CHANNEL = {1: 0, 2: 1, 3: 1, -1: 2, 9: 2}


def paths(count: int = 400, seed: int = 1) -> pd.DataFrame:
    """Make paths of one touch or more, some of a source nobody knows, and of one that is no more."""
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(count):
        touches = rng.choice([1, 2, 3, -1, 9], 1 + rng.poisson(1.2))
        parts.append(
            pd.DataFrame(
                {
                    "channel_path_id": f"path {number:04}",
                    "is_sold": bool(rng.random() < 0.2 + 0.5 * (1 in touches)),
                    # Not from 1 on, nor one after the other: only their order counts.
                    "touch_number": np.cumsum(rng.integers(1, 3, len(touches))) + 3,
                    "source_id": touches,
                    "resampling_group": int(rng.integers(0, 100)),
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(source_id=frame["source_id"].astype("Int64").where(frame["source_id"] > 0))


def run(folder: Path, touches: pd.DataFrame):
    frames = {"fct_channel_path": touches, "dim_source": SOURCES}
    return check(model.run(marts_of(folder, frames, model.READS, dt.date(2026, 6, 30))))


def test_the_weights_are_those_of_the_journeys_one_by_one(tmp_path: Path) -> None:
    touches = paths()
    path, first = pd.factorize(touches["channel_path_id"])[0], ~touches["channel_path_id"].duplicated()
    expected = spread(
        counted(
            Journeys(
                path=path,
                channel=touches["source_id"].fillna(-1).map(CHANNEL).to_numpy(np.int64),
                is_sold=touches.loc[first, "is_sold"].to_numpy(bool),
                group=touches.loc[first, "resampling_group"].to_numpy(np.int64),
                channels=3,
            )
        )
    )
    result = run(tmp_path, touches.sample(frac=1, random_state=1))
    found = result.outputs[0].frame.assign(source=lambda f: f["source"].fillna("none")).set_index("source")
    found = found.loc[["Fair", "Web", "none"]]
    assert found["removal_effect"].to_numpy() == pytest.approx(expected.effects)
    assert found["credit"].to_numpy() == pytest.approx(expected.credit)
    assert found["relative_error"].to_numpy() == pytest.approx(expected.weight_error / expected.credit)
    assert found["market_type"].tolist()[:2] == ["event", "online"]
    assert result.values == {"sold": str(int(touches.loc[first, "is_sold"].sum())), "paths": "400"}


def test_few_contracts_give_no_weights(tmp_path: Path) -> None:
    with pytest.raises(Abstain, match="Only 0 contracts"):
        run(tmp_path, paths().assign(is_sold=False))
    (tmp_path / "none").mkdir()
    with pytest.raises(Abstain, match="Only 0 contracts"):
        run(tmp_path / "none", paths().head(0))
