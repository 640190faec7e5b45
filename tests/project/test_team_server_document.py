"""What the page on a server for a team says to type works: with a real server, TLS and tokens."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.main import get_command

from serving import Server, running_server
from treadle.cli.app import app
from treadle.server.settings import load

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/team-server.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
INI = re.compile(r"^```ini\n(.*?)^```", re.MULTILINE | re.DOTALL)
WRITTEN = "https://box.example.org:8470"  #: the address in the page
STATE = "/var/lib/treadle"
AS_TREADLE = "sudo -u treadle "
FOREVER = ("treadle up",)  #: is running already


def commands(prompt: str) -> list[str]:
    return [
        line.removeprefix(f"{prompt} ")
        for block in CONSOLE.findall(PAGE.read_text())
        for line in block.splitlines()
        if line.startswith(f"{prompt} ")
    ]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(certificate, key) of this machine, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Server]:
    cert, key = map(str, certificate)
    folder = tmp_path_factory.mktemp("box")
    with running_server(
        folder / "state", "--slots", "2", "--tls-certificate", cert, "--tls-key", key
    ) as made:
        yield made


@dataclass
class Person:
    """Types what stands in the page, with the names of this machine in it."""

    server: Server
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def type(self, line: str, given: str = "") -> str:
        """Standard output of the line, which must end well. given: on standard input."""
        said = line.replace(WRITTEN, self.server.url).replace(STATE, str(self.server.data_dir))
        words = shlex.split(said, comments=True)
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            self.variables[name] = value.replace("~", str(self.folder))
            return ""
        assert words[0] == "treadle", line
        extra = ["--token", "-"] if words[1] == "login" else []
        files = [str(self.folder / w) if w.endswith(".out") else w for w in words[1:]]
        done = subprocess.run(
            [sys.executable, "-m", "treadle", *files, *extra],
            cwd=ROOT,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, f"{line}: {done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TREADLE_")}
        folders = {"XDG_CONFIG_HOME": str(self.folder), "TREADLE_DATA_DIR": str(self.folder / "d")}
        return kept | folders | self.variables


def test_the_administrator_and_a_person_get_what_the_page_says(
    server: Server, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    pytest.importorskip("sklearn", reason="the example trains models with scikit-learn")
    # Given tokens, made as the page says
    owner = Person(server, tmp_path / "owner")
    texts = {}
    for line in commands("#"):
        if line.startswith(f"{AS_TREADLE}treadle token create"):
            name = shlex.split(line)[6]
            texts[name] = owner.type(line.removeprefix(AS_TREADLE)).strip().splitlines()[-1]
    assert set(texts) == {"analyst", "grace", "monitoring"}

    # When Ada types what she is to type
    (tmp_path / "analyst").mkdir()
    (tmp_path / "analyst" / "cert.pem").write_bytes(certificate[0].read_bytes())
    analyst = Person(server, tmp_path / "analyst")
    said = {
        line: analyst.type(line, f"{texts['analyst']}\n")
        for line in commands("$")
        if line not in FOREVER
    }

    # Then everything works, and is hers
    assert "Logged in to" in next(v for k, v in said.items() if k.startswith("treadle login"))
    assert "completed" in next(v for k, v in said.items() if k.startswith("treadle run"))
    assert "digits" in next(v for k, v in said.items() if k.startswith("treadle ps"))
    assert not (tmp_path / "analyst" / "d").exists()
    # and the administrator looks after it
    for line in commands("#"):
        if line.startswith(AS_TREADLE) and "token create" not in line:
            owner.type(line.removeprefix(AS_TREADLE))


def test_the_settings_of_the_page_are_settings() -> None:
    (text,) = INI.findall(PAGE.read_text())
    given = dict(line.split("=", 1) for line in text.splitlines())
    assert load(environ=given, cwd=ROOT / "docs").allowed_hosts == ("box.example.org",)


def test_every_command_of_the_page_is_one() -> None:
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = re.findall(r"`treadle (\w+)", PAGE.read_text())
    assert set(named) <= known
