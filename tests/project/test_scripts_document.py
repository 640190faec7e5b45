"""The project in docs/how-to/scripts.md runs as it stands there."""

import re
from pathlib import Path

import treadle

DOCUMENT = Path(__file__).parents[2] / "docs/how-to/scripts.md"
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_project_of_the_document_runs(tmp_path: Path) -> None:
    # Given the files of the document
    project = tmp_path / "project"
    project.mkdir()
    for name, text in FILE.findall(DOCUMENT.read_text()):
        (project / name).write_text(text)

    # When its pipeline is run
    with treadle.local(slots=2, data_dir=tmp_path / "data") as local:
        run = local.run(project / "treadle.yaml", rows=4).raise_for_failure()

        # Then each step did what the document says
        assert run["report"].result() == {
            "last": {"row": 3, "square": 9}, "count": 4, "options": ["--short"],
        }  # fmt: skip
        assert {m.name: m.value for m in run.metrics()} == {"rows": 4.0, "counted": 4.0}
        assert b"make" not in b"".join(run["lines"].logs())
