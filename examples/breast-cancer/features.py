"""Features for the breast cancer data: how much the worst cells of a sample stand out from its average ones."""

import pandas as pd

MEASUREMENTS = ("radius", "texture", "area", "smoothness", "concavity", "symmetry")


def add_ratios(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of `frame` with a column `<measurement> ratio`, worst over mean, for each of `MEASUREMENTS`.

    Samples whose mean is zero have nothing that could stand out: their ratio is 1.
    """
    ratios = {
        f"{name} ratio": (frame[f"worst {name}"] / frame[f"mean {name}"]).where(frame[f"mean {name}"] > 0, 1.0)
        for name in MEASUREMENTS
    }
    return frame.assign(**ratios)
