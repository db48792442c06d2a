"""How good predicted prices are."""

import numpy as np
import numpy.typing as npt


def regression_scores(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> dict[str, float | int]:
    """Return `mae` and `rmse` in the prices' own unit, `r2`, and the number `n` of sales.

    Everything is computed in double precision, whatever the model predicts in.
    """
    truth = np.asarray(actual, dtype=np.float64)
    error = np.asarray(predicted, dtype=np.float64) - truth
    spread = truth - truth.mean()
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "r2": float(1 - np.square(error).sum() / np.square(spread).sum()),
        "n": int(truth.size),
    }
