"""What training and evaluation share, so that both look at a house in the same way."""

from housing.features import FEATURES, TARGET, make_features
from housing.scores import regression_scores

__all__ = ["FEATURES", "TARGET", "make_features", "regression_scores"]
