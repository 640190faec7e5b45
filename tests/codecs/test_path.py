"""Files and directories: their bytes and their name, unpacked nowhere but where they belong."""

import io
import os
import socket
import sys
import tarfile
from pathlib import Path

import pytest
from exactly import codec_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle import codecs
from treadle.errors import CodecError

names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=30
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)
trees = st.recursive(
    st.binary(max_size=2000),
    lambda inner: st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)


def plant(tree: dict[str, object], where: Path) -> None:
    where.mkdir()
    for name, contents in tree.items():
        if isinstance(contents, dict):
            plant(contents, where / name)
        else:
            (where / name).write_bytes(contents)  # type: ignore[arg-type]


def harvest(where: Path) -> dict[str, object]:
    return {
        path.name: harvest(path) if path.is_dir() else path.read_bytes() for path in where.iterdir()
    }


def back(path: Path, directory: Path) -> Path:
    encoded = codecs.encode(path)
    data = encoded.to_bytes()
    assert len(data) == encoded.size_bytes
    found = codecs.decode(encoded.codec, memoryview(data), directory=directory)
    assert isinstance(found, Path)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(name=names, data=st.binary(max_size=5000))
def test_files_come_back_with_name_and_bytes(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / name).write_bytes(data)

    found = back(home / name, home / "in to")

    assert found == home / "in to" / name
    assert found.read_bytes() == data


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(tree=trees.filter(lambda tree: isinstance(tree, dict)))
def test_directories_come_back_with_all_that_is_in_them(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object]
) -> None:
    home = tmp_path_factory.mktemp("home")
    plant(tree, home / "model")

    found = back(home / "model", home / "into")

    assert found == home / "into" / "model"
    assert harvest(found) == tree


def test_the_bytes_of_a_file_are_the_file_and_its_type_is_told(tmp_path: Path) -> None:
    (tmp_path / "a plot.png").write_bytes(b"\x89PNG")

    encoded = codecs.encode(tmp_path / "a plot.png")

    assert encoded.to_bytes() == b"\x89PNG"
    assert encoded.codec == "path:a%20plot.png"
    assert encoded.media_type == "image/png"


def test_a_large_file_is_read_piece_by_piece(tmp_path: Path) -> None:
    data = os.urandom(3 * 2**20 + 5)
    (tmp_path / "large").write_bytes(data)

    parts = list(codecs.encode(tmp_path / "large").parts)

    assert b"".join(parts) == data
    assert max(map(len, parts)) == 2**20


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        plant({"z": b"1", "a": {"x": b"2"}, "e": {}}, tmp_path / name)
    os.utime(tmp_path / "two" / "z", (1, 1))

    assert codecs.encode(tmp_path / "one").to_bytes() == codecs.encode(tmp_path / "two").to_bytes()


def test_any_reader_of_tar_reads_what_is_stored(tmp_path: Path) -> None:
    plant({"deep": {"long " + "n" * 150: b"1" * 1000}, "ü": b""}, tmp_path / "tree")
    encoded = codecs.encode(tmp_path / "tree")

    with tarfile.open(fileobj=io.BytesIO(encoded.to_bytes())) as tar:
        read = tar.getnames()

    assert encoded.media_type == "application/x-tar"
    assert read == ["deep", "deep/long " + "n" * 150, "ü"]


# From Python 3.12 on there is always a filter, and a warning where none is named.
HAS_OLD = sys.version_info < (3, 12)
KINDS_OF_TARFILE = ["with its filter", *(["without, as in Python 3.11.2"] if HAS_OLD else [])]


@pytest.fixture(params=KINDS_OF_TARFILE)
def any_tarfile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param.startswith("without"):
        monkeypatch.delattr(tarfile, "data_filter", raising=False)


@pytest.mark.usefixtures("any_tarfile")
def test_executables_and_inner_links_are_kept(tmp_path: Path) -> None:
    plant({"run": b"#!", "sub": {}}, tmp_path / "tree")
    (tmp_path / "tree" / "run").chmod(0o700)
    (tmp_path / "tree" / "sub" / "link").symlink_to("../run")

    found = back(tmp_path / "tree", tmp_path / "into")

    assert os.access(found / "run", os.X_OK)
    assert os.readlink(found / "sub" / "link") == "../run"
    assert (found / "sub" / "link").read_bytes() == b"#!"


@pytest.mark.parametrize("target", ["/etc/hostname", "../secret", "sub/../../secret"])
def test_a_link_that_leads_out_is_refused(tmp_path: Path, target: str) -> None:
    plant({"sub": {}}, tmp_path / "tree")
    (tmp_path / "tree" / "link").symlink_to(target)

    with pytest.raises(CodecError, match=r"outside the directory.*Copy"):
        codecs.encode(tmp_path / "tree")


def test_a_socket_in_a_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant({}, tmp_path / "tree")
    monkeypatch.chdir(tmp_path / "tree")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("s")

        with pytest.raises(CodecError, match="neither file, directory nor link"):
            codecs.encode(tmp_path / "tree")


def test_two_files_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"1")
    first = back(tmp_path / "x.csv", tmp_path / "into")
    (tmp_path / "x.csv").write_bytes(b"2")
    second = back(tmp_path / "x.csv", tmp_path / "into")

    assert (first.name, second.name) == ("x.csv", "x.csv")
    assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")


def test_a_path_where_nothing_lies_is_a_plain_value(tmp_path: Path) -> None:
    assert codec_of(tmp_path / "nothing") == "pickle5"
    assert codec_of(Path("/dev/null")) == "pickle5"
    assert codec_of([tmp_path]) == "pickle5"


def test_the_current_directory_goes_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "outer" / "inner")

    assert codec_of(Path()) == "path.tar:inner"
    assert codec_of(Path("..")) == "path.tar:outer"


def test_a_file_that_changes_while_it_is_stored_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    for change in (b"123", b"1234567"):
        encoded = codecs.encode(tmp_path / "x")
        (tmp_path / "x").write_bytes(change)

        with pytest.raises(CodecError, match="changed while it was being stored"):
            encoded.to_bytes()
    (tmp_path / "x").unlink()
    with pytest.raises(CodecError, match="cannot be read: No such file"):
        encoded.to_bytes()


def test_a_file_needs_a_place() -> None:
    with pytest.raises(CodecError, match="needs a place"):
        codecs.decode("path:x", memoryview(b""))


@pytest.mark.parametrize("name", ["..", ".", "", "a%2Fb", "..%2Fx", "x%00"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CodecError, match="not the name of a file"):
        codecs.decode(f"path:{name}", memoryview(b"x"), directory=tmp_path / "into")

    assert list(tmp_path.iterdir()) == []


def hostile(*members: tuple[str, bytes, str]) -> memoryview:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            tar.addfile(info, io.BytesIO())
    return memoryview(file.getvalue())


@pytest.mark.usefixtures("any_tarfile")
@pytest.mark.parametrize(
    "members",
    [
        [("../out", tarfile.REGTYPE, "")],
        [("a/../../out", tarfile.REGTYPE, "")],
        [("link", tarfile.SYMTYPE, "../.."), ("link/out", tarfile.REGTYPE, "")],
        [("link", tarfile.SYMTYPE, "/")],
        [("hard", tarfile.LNKTYPE, "../../out")],
        [("device", tarfile.CHRTYPE, "")],
        [("pipe", tarfile.FIFOTYPE, "")],
        [
            ("d/e/f", tarfile.DIRTYPE, ""),
            ("out", tarfile.SYMTYPE, "d/e/s/.."),
            ("d/e/s", tarfile.SYMTYPE, "../.."),
        ],
    ],
    ids=["up", "dots", "through a link", "absolute", "hard", "device", "pipe", "two links"],
)
def test_a_hostile_archive_is_refused_and_leaves_nothing(
    tmp_path: Path, members: list[tuple[str, bytes, str]]
) -> None:
    with pytest.raises(CodecError):
        codecs.decode("path.tar:x", hostile(*members), directory=tmp_path / "a" / "b")

    assert [path for path in tmp_path.rglob("*") if path.is_symlink() or not path.is_dir()] == []
    assert list((tmp_path / "a" / "b").iterdir()) == []
