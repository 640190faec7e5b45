"""Bytes as an answer: ranges, what a cache knows already, damage, and names of files."""

import socket

import httpx
import pytest
from blake3 import blake3

import flows
from treadle.api.http.ranges import wanted
from treadle.api.http.sending import disposition
from treadle.errors import RangeNotSatisfiable
from treadle.server.ownership import read_card

DATA = bytes(range(256)) * 10_000
SIZE = len(DATA)
LARGE_BYTES = 20_000_000  #: hashed while it is sent


@pytest.mark.parametrize(
    ("told", "start", "stop"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        (f"bytes=-{SIZE * 2}", 0, SIZE),
        (f"bytes=5-{SIZE * 2}", 5, SIZE),
        ("Bytes = 1-1", 1, 2),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
    ],
)
def test_one_range_is_sent(http, stored, told, start, stop):
    digest = stored(DATA)
    answer = http.get(f"/blobs/{digest}", headers={"range": told})
    assert answer.status_code == 206
    assert answer.content == DATA[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["etag"] == f'"{digest}"'


@pytest.mark.parametrize(
    "told",
    ["bytes=0-1,5-6", "lines=1-2", "bytes=9-3", "bytes=-", "bytes=a-b", "bytes=0-1;2", "bytes=٣-"],
)
def test_what_is_no_single_range_gets_all(http, stored, told):
    answer = http.get(f"/blobs/{stored(DATA)}", headers={"range": told.encode()})
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("told", [f"bytes={SIZE}-", "bytes=9999999999-", "bytes=-0"])
def test_a_range_behind_the_end_is_refused_with_the_size(http, stored, told):
    answer = http.get(f"/blobs/{stored(DATA)}", headers={"range": told})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{SIZE}"
    assert answer.json()["code"] == "range.not_satisfiable"


def test_no_bytes_have_no_range(http, stored):
    answer = http.get(f"/blobs/{stored(b'')}", headers={"range": "bytes=0-"})
    assert answer.status_code == 416
    with pytest.raises(RangeNotSatisfiable):
        wanted({"range": "bytes=-5"}, "", 0)


def test_a_range_of_other_bytes_than_those_is_not_sent(http, stored):
    digest = stored(DATA)
    for known, status in [(f'"{digest}"', 206), ('"other"', 200), (f'W/"{digest}"', 200)]:
        headers = {"range": "bytes=1-2", "if-range": known}
        assert http.get(f"/blobs/{digest}", headers=headers).status_code == status


@pytest.mark.parametrize("known", ['"{}"', 'W/"{}"', '"x", "{}"', "*"])
def test_what_the_caller_has_is_not_sent_again(http, stored, known):
    digest = stored(DATA)
    answer = http.get(f"/blobs/{digest}", headers={"if-none-match": known.format(digest)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == f'"{digest}"'
    assert "immutable" in answer.headers["cache-control"]
    answer = http.get(f"/blobs/{digest}", headers={"if-none-match": '"other"'})
    assert answer.status_code == 200


def test_only_the_head_is_sent_if_that_is_asked_for(http, stored):
    answer = http.head(f"/blobs/{stored(DATA)}", headers={"range": "bytes=0-1"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["content-type"] == "application/octet-stream"


def damaged(client, digest):
    path = client.link.settings.data_dir / "blobs" / digest[:2] / digest
    path.write_bytes(path.read_bytes()[:-1] + b"z")
    return path


def test_a_range_of_a_damaged_blob_is_refused(client, http, stored):
    digest = stored(b"r" * LARGE_BYTES)
    ranged = {"range": "bytes=0-9"}
    assert http.get(f"/blobs/{digest}", headers=ranged).content == b"r" * 10
    damaged(client, digest)
    answer = http.get(f"/blobs/{digest}", headers=ranged)
    assert (answer.status_code, answer.json()["code"]) == (500, "blob.damaged")


def test_a_large_damaged_blob_breaks_off_so_that_nobody_takes_it_for_whole(
    client, http, stored, caplog
):
    digest = stored(b"s" * LARGE_BYTES)
    path = damaged(client, digest)
    arrived = 0
    with (
        http.stream("GET", f"/blobs/{digest}") as answer,
        pytest.raises(httpx.RemoteProtocolError, match="without sending complete"),
    ):
        for piece in answer.iter_raw():
            arrived += len(piece)
    assert 0 < arrived < LARGE_BYTES
    assert str(path) in caplog.text


def test_a_large_blob_arrives_whole_once_and_again(http, stored):
    digest = stored(b"t" * LARGE_BYTES)
    for _ in range(2):
        assert blake3(http.get(f"/blobs/{digest}").content).hexdigest() == digest


def test_an_output_is_named_for_a_browser_and_stays_as_it_is(client, http):
    run = client.run(flows.talking, text="well")
    path = f"/jobs/{run['announce'].job_id}/outputs/result"
    answer = http.get(path)
    assert answer.headers["content-disposition"] == 'inline; filename="announce.result.json"'
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-security-policy"] == "sandbox"
    assert http.get(path, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    answer = http.get(path, params={"download": "true"}, headers={"range": "bytes=1-4"})
    assert (answer.status_code, answer.content) == (206, b"well")
    assert answer.headers["content-disposition"].startswith("attachment")
    short = path.replace("job_", "")
    assert "no-cache" in http.get(short).headers["cache-control"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.csv", 'inline; filename="a.csv"'),
        ("../../etc/passwd", "inline; filename=\"_.._etc_passwd\"; filename*=UTF-8''.._.._etc"),
        ('a"\r\nb', "inline; filename=\"a_b\"; filename*=UTF-8''a%22%0D%0Ab"),
        ("Größe.csv", "inline; filename=\"Gr_e.csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.csv"),
        ("...", "inline; filename=\"output\"; filename*=UTF-8''..."),
    ],
)
def test_a_name_of_a_file_is_safe_everywhere(name, told):
    assert disposition(name, download=False).startswith(told)


def test_a_refused_upload_is_told_so_before_it_is_sent(client):
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(read_card(client.link.settings.data_dir).socket)
        head = "PUT /api/v1/blobs/no HTTP/1.1\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n"
        caller.sendall(head.encode())
        assert caller.recv(20).startswith(b"HTTP/1.1 400")


def test_an_upload_that_asks_first_is_told_to_go_on(client):
    data, digest = b"asked", blake3(b"asked").hexdigest()
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(read_card(client.link.settings.data_dir).socket)
        head = f"PUT /api/v1/blobs/{digest} HTTP/1.1\r\ncontent-length: 5\r\n"
        caller.sendall(f"{head}expect: 100-continue\r\n\r\n".encode())
        assert caller.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.sendall(data)
        assert caller.recv(4096).startswith(b"HTTP/1.1 201 Created")


def test_a_caller_who_leaves_in_the_middle_of_a_blob_leaves_no_file(client, http):
    data = b"x" * 30_000_000
    blobs = client.link.settings.data_dir / "blobs"
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(read_card(client.link.settings.data_dir).socket)
        digest = blake3(data).hexdigest()
        head = f"PUT /api/v1/blobs/{digest} HTTP/1.1\r\nhost: localhost\r\n"
        caller.sendall(f"{head}content-length: {len(data)}\r\n\r\n".encode())
        caller.sendall(data[:20_000_000])
        while not any((blobs / "tmp").glob("*")):  # until the thread has begun
            http.get("/health")
    while any((blobs / "tmp").glob("*")):  # until it knows that nobody is there any more
        http.get("/health")
    assert http.head(f"/blobs/{digest}").status_code == 404


def test_what_a_job_says_of_its_result_cannot_change_the_head_of_an_answer(client, http):
    run = client.run(flows.forging)
    job = http.get(f"/runs/{run.id}").json()["jobs"][0]["id"]

    answer = http.get(f"/jobs/{job}/outputs/result")

    assert (answer.status_code, answer.json()) == (200, "text")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["treadle-codec"] == "js%0D%0Aon"
    assert "x-made" not in answer.headers
