"""The real command against a real server."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cli.conftest import Treadle
from serving import Server, running_server


@dataclass
class Remote(Treadle):
    """A command that is told of a server by its environment."""

    server: Server | None = None
    marks: Path = field(default_factory=Path)  #: where steps of the server look for marks

    def mark(self, name: str) -> None:
        (self.marks / name).touch()

    def given(self, text: str, *arguments: str) -> str:
        """Standard output of a command that has the text on standard input, and must end well."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, cwd=self.folder,
            env=self.environment, timeout=90, input=text, check=True,
        )  # fmt: skip
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """A variable that is "" is not set at all."""
        return {name: value for name, value in super().environment.items() if value}

    def using(self, **variables: str) -> "Remote":
        """The same with other variables; "" for none at all."""
        changed = self.variables | variables
        return Remote(self.folder, self.running, changed, self.server, self.marks)


@contextlib.contextmanager
def marked_server(folder: Path, *options: str, **settings: str) -> Iterator[Server]:
    """A server of two slots whose steps look for their marks in the folder."""
    before = os.environ.get("TEST_MARKS")
    os.environ["TEST_MARKS"] = str(folder)
    try:
        with running_server(folder / "state", "--slots", "2", *options, **settings) as server:
            yield server
    finally:
        if before is None:
            os.environ.pop("TEST_MARKS")
        else:
            os.environ["TEST_MARKS"] = before


def remote_of(treadle: Treadle, server: Server) -> Remote:
    """The command in the same folder, its configuration kept there too."""
    variables = {
        "TREADLE_SERVER": server.url,
        "TREADLE_TOKEN": server.token,
        "XDG_CONFIG_HOME": str(treadle.folder / "config"),
    }
    return Remote(treadle.folder, treadle.running, variables, server, server.data_dir.parent)
