"""Steps that are functions: they get their inputs and parameters by name."""

import pandas as pd
from sklearn.model_selection import train_test_split


def split(data: pd.DataFrame, test_size: float) -> dict[str, pd.DataFrame]:
    """Rows to learn from, and rows to be judged by."""
    train, test = train_test_split(
        data, test_size=test_size, stratify=data["target"], random_state=0
    )
    return {"train": train, "test": test}
