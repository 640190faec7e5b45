"""The curl lines of the page about the HTTP API work, in their order, against a real server."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from serving import running_server
from treadle.api.http.routes import OPERATIONS

PAGE = Path(__file__).parents[2] / "docs/how-to/http-api.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
REQUESTS = re.compile(r'^treadle_requests_total{operation="(\w+)",status="[23]', re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """A command, and what is said beside it: `...` stands for anything."""

    command: str
    said: str

    @property
    def pattern(self):
        parts = self.said.strip().split("...")
        return re.compile(r"\s*" + ".*".join(map(re.escape, parts)), re.DOTALL)


def lines():
    found = []
    for block in CONSOLE.findall(PAGE.read_text()):
        for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *rest = text.splitlines()
            while rest and rest[0].startswith("> "):
                command += "\n" + rest.pop(0).removeprefix("> ")
            found.append(Line(command, "\n".join(rest)))
    return found


def script(commands):
    """Each command in the same shell, its output and status in files of its number."""
    parts = ["set -o pipefail"]
    for number, command in enumerate(commands):
        parts.append(f"{{ {command}\n}} > {number}.out 2> {number}.err; echo $? > {number}.status")
    return "\n".join(parts)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """(what each line printed and its exit code, the operations that the server carried out)"""
    folder = tmp_path_factory.mktemp("page")
    with running_server(tmp_path_factory.mktemp("server") / "state", "--slots", "2") as server:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "URL": server.url,
            "TOKEN": server.token,
        }
        command = ["bash", "-c", script([each.command for each in lines()])]
        subprocess.run(command, cwd=folder, env=environment, timeout=200, check=True)
        figures = httpx.get(f"{server.url}/metrics", headers=server.headers).text
    said = [
        ((folder / f"{number}.out").read_text(), int((folder / f"{number}.status").read_text()))
        for number in range(len(lines()))
    ]
    return said, set(REQUESTS.findall(figures))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("number", range(len(lines())), ids=lambda i: lines()[i].command[:60])
def test_a_line_of_the_page_does_what_is_said_beside_it(ran, number):
    line, (printed, status) = lines()[number], ran[0][number]
    assert status == 0, f"{line.command}\n{printed}"
    assert line.pattern.match(printed), f"{line.command}\n{printed}\nis not\n{line.said}"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_operation_has_a_line_on_the_page(ran):
    there = {each.name for each in OPERATIONS if each.method != "WEBSOCKET"}
    assert there - ran[1] == set()


def test_every_path_with_a_websocket_is_on_the_page():
    sockets = {each.path for each in OPERATIONS if each.method == "WEBSOCKET"}
    assert sockets <= {each.path for each in OPERATIONS if each.method == "GET"}
    assert "over WebSocket" in PAGE.read_text()
