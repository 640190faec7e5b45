"""What keeps `treadle up` from starting, and what it says then."""

import os
import socket
import ssl
import subprocess
import sys

import httpx
import pytest

from serving import environment, running_server


def refused(data_dir, *options, **settings):
    """(exit code, what it said) of a server that does not start."""
    ended = subprocess.run(
        [sys.executable, "-m", "treadle", "up", "--data-dir", str(data_dir), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(settings),
        timeout=60,
        check=False,
    )
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with certificate.pem and key.pem for localhost, and other-key.pem."""
    folder = tmp_path_factory.mktemp("tls")
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    asked += " -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    for name in ("", "other-"):
        subprocess.run(
            [
                "openssl",
                *asked.split(),
                "-keyout",
                f"{name}key.pem",
                "-out",
                f"{name}certificate.pem",
            ],
            cwd=folder,
            check=True,
            capture_output=True,
        )
    return folder


def test_a_port_that_is_taken_is_named_with_its_holder_and_the_next_step(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        code, said = refused(tmp_path / "state", "--port", str(port))

    assert code == 3
    assert f"Port {port} of 127.0.0.1 is taken" in said
    assert f"(pid {os.getpid()})" in said
    assert "--port" in said


def test_a_data_directory_that_has_a_server_is_named_with_its_pid_and_url(tmp_path):
    with running_server(tmp_path / "state") as server:
        code, said = refused(server.data_dir, "--port", "0")

        assert httpx.get(f"{server.url}/api/v1/health/live").status_code == 200
    assert code == 3
    assert f"pid {server.process.pid}" in said
    assert server.url in said
    assert "treadle down" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_nobody_else_is_let_in_without_tls(tmp_path, host):
    code, said = refused(tmp_path / "state", "--host", host, "--port", "0")

    assert code == 2
    assert "--tls-certificate" in said
    assert "--insecure" in said


def test_who_insists_is_warned_out_loud(tmp_path):
    with running_server(tmp_path / "state", "--host", "0.0.0.0", "--insecure") as server:
        port = server.url.rpartition(":")[2]
        told = httpx.get(f"http://127.0.0.1:{port}/api/v1/health", headers=server.headers)
        by_name = httpx.get(
            f"http://127.0.0.1:{port}/api/v1/health",
            headers={**server.headers, "Host": f"{socket.gethostname()}:{port}"},
        )

    assert told.status_code == 200
    assert by_name.status_code == 200
    assert "without TLS" in server.log.read_text()


def test_all_addresses_of_both_kinds_may_be_listened_at(tmp_path):
    with running_server(tmp_path / "state", "--host", "::", INSECURE="1") as server:
        port = server.url.rpartition(":")[2]
        told = [
            httpx.get(f"http://{address}:{port}/api/v1/health", headers=server.headers)
            for address in ("127.0.0.1", "127.0.0.2", "[::1]")
        ]
        mine = socket.gethostbyname(socket.gethostname())
        told.append(httpx.get(f"http://{mine}:{port}/api/v1/health", headers=server.headers))

    assert [each.status_code for each in told] == [200] * 4


def test_an_ipv6_address_is_as_good_as_another(tmp_path):
    with running_server(tmp_path / "state", "--host", "::1") as server:
        told = httpx.get(f"{server.url}/api/v1/health", headers=server.headers)

    assert server.url.startswith("http://[::1]:")
    assert told.status_code == 200


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("192.0.2.1", "no address of this machine"),
        ("no-such-host.invalid", "not known here"),
        ("not a host", "expected a name or an IP address"),
    ],
)
def test_a_host_that_is_not_ours_is_refused(tmp_path, host, words):
    code, said = refused(tmp_path / "state", "--host", host, "--port", "0", INSECURE="1")

    assert code == 2
    assert words in said


def test_with_a_certificate_it_speaks_tls_and_not_an_old_one(tmp_path, certificates):
    # Given
    certificate = certificates / "certificate.pem"
    options = ("--tls-certificate", str(certificate), "--tls-key", str(certificates / "key.pem"))
    trusting = ssl.create_default_context(cafile=str(certificate))

    with running_server(tmp_path / "state", *options, "--host", "0.0.0.0") as server:
        port = server.url.rpartition(":")[2]
        url = f"https://localhost:{port}"

        # When
        told = httpx.get(f"{url}/api/v1/health", headers=server.headers, verify=trusting)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/api/v1/health/live")
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"http://localhost:{port}/api/v1/health/live")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", int(port)), 30) as plain:
            with pytest.raises(ssl.SSLError):
                old.wrap_socket(plain)

    # Then
    assert server.url.startswith("https://")
    assert told.status_code == 200
    assert "without TLS" not in server.log.read_text()


def test_a_key_of_another_certificate_is_refused(tmp_path, certificates):
    code, said = refused(
        tmp_path / "state",
        "--tls-certificate",
        str(certificates / "certificate.pem"),
        "--tls-key",
        str(certificates / "other-key.pem"),
    )

    assert code == 2
    assert "does not belong to the certificate" in said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TLS_CERTIFICATE": "missing.pem"}, "cannot be read"),
        ({"TLS_CERTIFICATE": "nonsense.pem"}, "no certificate to serve"),
        ({"TLS_KEY": "nonsense.pem"}, "a key and no certificate"),
    ],
)
def test_what_is_no_certificate_is_refused(tmp_path, settings, words):
    (tmp_path / "nonsense.pem").write_text("nonsense")
    given = {name: str(tmp_path / file) for name, file in settings.items()}

    code, said = refused(tmp_path / "state", **given)

    assert code == 2
    assert words in said


def test_a_key_with_a_password_is_refused_and_not_asked_for(tmp_path, certificates):
    locked = tmp_path / "locked.pem"
    key = str(certificates / "key.pem")
    subprocess.run(
        ["openssl", "ec", "-in", key, "-aes256", "-passout", "pass:secret", "-out", str(locked)],
        check=True,
        capture_output=True,
    )

    code, said = refused(
        tmp_path / "state",
        TLS_CERTIFICATE=str(certificates / "certificate.pem"),
        TLS_KEY=str(locked),
    )

    assert code == 2
    assert "password" in said


def test_a_data_directory_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    code, said = refused(tmp_path / "file" / "state")

    assert code == 3
    assert str(tmp_path / "file" / "state") in said


def test_what_is_refused_leaves_the_directory_to_the_next(tmp_path):
    refused(tmp_path / "state", "--host", "0.0.0.0")

    with running_server(tmp_path / "state") as server:
        assert httpx.get(f"{server.url}/api/v1/health/ready").status_code == 200
