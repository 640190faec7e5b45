"""What docs/how-to/client.md shows works, against a server."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```py\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_python_of_the_document_runs(server, tmp_path):
    # Given the blocks in order, as one script, where the examples are
    text = (ROOT / "docs/how-to/client.md").read_text()
    script = tmp_path / "client_document.py"
    script.write_text("\n\n".join(BLOCK.findall(text)))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TREADLE")}

    # When it is run with the server's data directory alone
    done = subprocess.run(
        [sys.executable, script],
        cwd=ROOT,
        env=kept | {"TREADLE_DATA_DIR": str(server.data_dir)},
        capture_output=True,
        text=True,
        timeout=150,
    )

    # Then it ends well, and shows what it promised
    assert done.returncode == 0, done.stderr
    assert "square | squaring 6" in done.stdout
    assert "run.completed" in done.stdout
