"""From a recorded sale to what the model sees."""

import pandas as pd

TARGET = "sale_price"

FEATURES = (
    "living_area",
    "basement_area",
    "lot_area",
    "garage_cars",
    "bathrooms",
    "bedrooms",
    "fireplaces",
    "central_air",
    "condition",
    "age",
    "since_remodel",
    "longitude",
    "latitude",
)

_CONDITIONS = (
    "Very_Poor",
    "Poor",
    "Fair",
    "Below_Average",
    "Average",
    "Above_Average",
    "Good",
    "Very_Good",
    "Excellent",
    "Very_Excellent",
)


def make_features(sales: pd.DataFrame) -> pd.DataFrame:
    """Return the columns `FEATURES` for each sale, all numeric, in that order.

    Raises:
        ValueError: A sale's condition is none of the assessor's ten grades.
    """
    grades = {name: grade for grade, name in enumerate(_CONDITIONS, start=1)}
    condition = sales["overall_condition"].map(grades)
    if condition.isna().any():
        unknown = sorted(set(sales["overall_condition"]) - grades.keys())
        msg = f"unknown condition: {', '.join(unknown)}"
        raise ValueError(msg)
    derived = sales.assign(
        bathrooms=sales["full_bathrooms"] + 0.5 * sales["half_bathrooms"],
        central_air=(sales["central_air"] == "Y").astype("int64"),
        condition=condition.astype("int64"),
        age=sales["year_sold"] - sales["year_built"],
        since_remodel=sales["year_sold"] - sales["year_remodelled"],
    )
    return derived[list(FEATURES)].astype("float32")
