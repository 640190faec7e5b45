"""Chapter 3. The examples: real data, from files and from a script."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from treadle.client import Client

pytest.importorskip("sklearn", reason="the examples train models with scikit-learn")
pytest.importorskip("pandas", reason="the examples load data with pandas")
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("dataset", ["wine", "digits", "breast_cancer"])
def test_compare_ranks_three_models(t: Client, dataset: str) -> None:
    run = t.run(EXAMPLES / "compare/pipeline.py", dataset=dataset)

    assert run.state == "completed"
    told = run["best"].result()
    assert sorted(row["model"] for row in told["models"]) == ["boosting", "forest", "logistic"]
    assert told["best"] == told["models"][0]["model"]
    assert all(row["accuracy"] > 0.85 for row in told["models"])
    assert len([m for m in run.metrics() if m.name == "log_loss"]) == 30


def test_sweep_goes_on_after_a_crash(t: Client) -> None:
    run = t.run(EXAMPLES / "sweep/pipeline.py", seeds=2, unlucky=True)

    assert run.state == "completed"
    told = run["spread"].result()
    assert told["resumed"] == [1]
    assert told["mean"] > 0.85


def test_quick_runs_as_a_plain_script(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "quick/script.py")],
        env={**os.environ, "TREADLE_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "completed" in done.stdout
    assert "wine 0 {'proline': 0.827" in done.stdout
