"""One data directory, one owner: who starts, who joins, who reads, who takes over."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import flows
import treadle
from treadle.errors import Conflict, NewerSchema, NotFound, OwnedElsewhere, Unavailable
from treadle.model.states import JobState, RunState
from treadle.server.embedded import connect
from treadle.server.ownership import OwnerLock, answering, read_card
from treadle.server.settings import load


def settings(data_dir, **more):
    return load(data_dir=data_dir, slots=2, environ={}, **more)


def test_the_first_owns_and_the_second_joins(tmp_path):
    with connect(settings(tmp_path)) as first, connect(settings(tmp_path)) as second:
        assert first.link.is_owner
        assert not second.link.is_owner
        run = second.run(flows.sums)
        assert first.get_run(run.id).output == run.output
        assert second.health()["owner"] == first.health()["owner"]


def test_the_directory_is_private_and_tidy_at_the_end(tmp_path):
    data_dir = tmp_path / "state"
    with connect(settings(data_dir)) as client:
        client.run(flows.sums)
        assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE((data_dir / "owner.sock").stat().st_mode) == 0o600
        assert json.loads((data_dir / "owner.json").read_text())["pid"] == os.getpid()
    assert not (data_dir / "owner.sock").exists()
    assert answering(data_dir) is None
    OwnerLock(data_dir).release()  # free again


def test_a_path_too_long_for_a_socket_gets_a_short_one(tmp_path):
    data_dir = tmp_path / ("long" * 30)
    with connect(settings(data_dir)) as client:
        socket = Path(read_card(data_dir).socket)
        assert len(str(socket)) <= 100
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert client.run(flows.sums).state is RunState.COMPLETED
    assert not socket.parent.exists()


def test_the_lock_names_the_owners_pid(tmp_path):
    with connect(settings(tmp_path)):
        with pytest.raises(OwnedElsewhere, match=f"pid {os.getpid()}"):
            OwnerLock(tmp_path)


def test_without_an_owner_what_is_there_can_be_read(tmp_path):
    # Given a directory that somebody used and left
    with connect(settings(tmp_path)) as client:
        run = client.run(flows.sums)
        output = run.output
        talk = client.run(flows.talking)
    # When it is opened for reading
    with connect(settings(tmp_path), start=False, read=True) as reader:
        # Then all that was can be seen
        assert [r.id for r in reader.runs()] == [talk.id, run.id]
        assert reader.get_run(run.id).output == output
        assert b"".join(reader.get_run(talk.id).logs()) == b"hello\nto stderr\n"
        assert [e.kind for e in reader.get_run(run.id).events()][-1] == "run.completed"
        assert reader.health()["status"] == "read-only"
        # And nothing can be changed
        with pytest.raises(Unavailable, match="can only be read"):
            reader.run(flows.sums)
    # And no lock or socket was made
    assert answering(tmp_path) is None


def test_with_nothing_there_reading_says_so(tmp_path):
    with pytest.raises(NotFound, match="nothing in the data directory"):
        connect(settings(tmp_path / "none"), start=False, read=True)
    with pytest.raises(Unavailable, match="Nothing is running"):
        connect(settings(tmp_path / "none"), start=False)
    assert not (tmp_path / "none").exists()


def test_a_file_in_place_of_the_directory_is_named(tmp_path):
    (tmp_path / "state").write_text("not a directory")
    with pytest.raises(Unavailable, match="cannot be used"):
        connect(settings(tmp_path / "state"))


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    where = tmp_path / "frozen"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(where)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a read-only file system needs the right to mount (run as root)")
    try:
        with pytest.raises(Unavailable, match="Read-only file system"):
            connect(settings(where))
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True)


def test_a_ledger_of_a_newer_release_is_refused_and_the_lock_let_go(tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(NewerSchema):
        connect(settings(tmp_path))
    OwnerLock(tmp_path).release()


def test_many_starters_at_once_make_one_owner(tmp_path):
    clients, guard = [], threading.Lock()

    def start():
        client = connect(settings(tmp_path))
        with guard:
            clients.append(client)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert sum(client.link.is_owner for client in clients) == 1
        assert len({client.health()["owner"] for client in clients}) == 1
    finally:
        for client in sorted(clients, key=lambda client: client.link.is_owner):
            client.close()


def test_closing_hands_what_runs_back_to_the_queue_free_of_charge(tmp_path, gate):
    # Given a run under way
    client = connect(settings(tmp_path))
    run = client.submit(flows.holding, gate=str(gate), value=4)
    events = run.events()
    next(event for event in events if event.kind == "job.started")
    # When its owner closes
    client.close()
    # Then a reader sees it queued, and waiting for it makes no sense
    with connect(settings(tmp_path), start=False, read=True) as reader:
        seen = reader.get_run(run.id)
        assert (seen.jobs[0].state, seen.jobs[0].losses) == (JobState.QUEUED, 0)
        with pytest.raises(Conflict, match="nothing works on it"):
            seen.wait()
    # And the next owner carries it to its end
    with connect(settings(tmp_path)) as again:
        run = again.get_run(run.id)
        opened = os.open(gate, os.O_WRONLY)
        os.write(opened, b"go")
        os.close(opened)
        assert run.wait().output == 4


def test_a_closed_client_says_so(tmp_path):
    client = connect(settings(tmp_path))
    client.close()
    client.close()  # again is harmless
    with pytest.raises(Unavailable, match="client is closed"):
        client.health()


def test_another_process_joins_and_its_run_is_ours_to_see(tmp_path, other):
    with connect(settings(tmp_path)) as client:
        process = other(tmp_path)
        assert not process.is_owner
        (run_id,) = process.do("print(client.run(flows.sums).id)")
        assert client.get_run(run_id).output["first"] == 2
        assert process.close() == 0
        assert client.health()["status"] == "ok"


def test_lingering_waits_for_the_runs_of_others(tmp_path, other, gate):
    # Given an owner here, and a run of another process
    client = connect(settings(tmp_path))
    process = other(tmp_path)
    process.do(f"run = client.submit(flows.holding, gate={str(gate)!r}, value=2)")
    told = []

    def on_wait(runs):
        told.append([run.pipeline for run in runs])
        threading.Thread(target=gate.write_bytes, args=(b"go",)).start()

    # When we close, but not before others have what they want
    client.link.linger(on_wait)
    client.close()
    # Then we were told about whom we waited for, and the run is complete
    assert told == [["holding"]]
    assert process.do("print(run.wait().output)")[-1] == "2"


def test_a_follower_takes_over_when_the_owner_is_killed(tmp_path, other, gate):
    # Given an owner in another process, whose run we follow
    process = other(tmp_path)
    assert process.is_owner
    (run_id,) = process.do(f"print(client.submit(flows.holding, gate={str(gate)!r}, value=5).id)")
    with connect(settings(tmp_path)) as client:
        notices = []
        client.link.on_notice = notices.append
        run = client.get_run(run_id)
        events = run.events()
        next(event for event in events if event.kind == "job.started")
        # When the owner is killed
        process.kill()
        # Then the diary goes on: lost, leased again by us, started
        kinds = []
        for event in events:
            if event.number:  # a line of the diary, not news of what was printed
                kinds.append(event.kind)
            if event.kind == "job.started":
                break
        assert kinds == ["job.lost", "job.leased", "job.started"]
        assert client.link.is_owner
        assert len(notices) == 1
        gate.write_bytes(b"go")
        assert run.wait().output == 5


def test_a_follower_takes_over_when_the_owner_leaves(tmp_path, other, gate):
    process = other(tmp_path)
    process.do(f"client.submit(flows.holding, gate={str(gate)!r}, value=6)")
    with connect(settings(tmp_path)) as client:
        client.link.on_notice = lambda text: None
        run = client.get_run("latest")
        assert process.close() == 0
        done = threading.Thread(target=gate.write_bytes, args=(b"go",))
        done.start()
        assert run.wait().output == 6
        done.join()
        assert run.jobs[0].losses == 0


def test_two_followers_agree_on_one_new_owner(tmp_path, other, gate):
    process = other(tmp_path)
    (run_id,) = process.do(f"print(client.submit(flows.holding, gate={str(gate)!r}, value=7).id)")
    with connect(settings(tmp_path)) as one, connect(settings(tmp_path)) as two:
        outputs = []

        def wait(client):
            client.link.on_notice = lambda text: None
            outputs.append(client.get_run(run_id).wait().output)

        threads = [threading.Thread(target=wait, args=(client,)) for client in (one, two)]
        for thread in threads:
            thread.start()
        events = one.get_run(run_id).events()
        next(event for event in events if event.kind == "job.started")
        process.kill()
        next(event for event in events if event.kind == "job.started")
        gate.write_bytes(b"go")
        for thread in threads:
            thread.join()
        assert outputs == [7, 7]
        assert one.link.is_owner != two.link.is_owner
        if one.link.is_owner:  # whoever owns leaves last
            two.close()


def script(tmp_path, body):
    """A script that needs no `if __name__ == "__main__"`; what it prints."""
    file = tmp_path / "script.py"
    file.write_text(
        "import os\nfrom treadle import pipeline, tool\n"
        "@tool\ndef double(n: int) -> int:\n    return 2 * n\n"
        "@pipeline\ndef doubled(n: int = 1):\n    return double(n)\n" + body
    )
    environ = {**os.environ, "TREADLE_DATA_DIR": str(tmp_path / "state"), "TREADLE_SLOTS": "1"}
    ignored = "ignore:This process:DeprecationWarning"  # Python 3.12 warns of any fork with threads
    done = subprocess.run(
        [sys.executable, "-W", ignored, str(file)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def test_a_plain_script_runs_pipelines_and_closes_at_its_end(tmp_path):
    said = script(tmp_path, "print(doubled.run(n=4).output)\nprint(doubled.run(n=5).output)\n")
    assert said == ["8", "10"]
    assert not (tmp_path / "state" / "owner.sock").exists()


def test_a_forked_child_gets_a_client_of_its_own(tmp_path):
    body = """
print(doubled.run(n=4).output, flush=True)
child = os.fork()
if child == 0:
    print(doubled.run(n=6).output, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(doubled.run(n=5).output)
"""
    assert script(tmp_path, body) == ["8", "12", "10"]


def test_a_forked_child_does_not_keep_the_data_directory(tmp_path):
    body = """
import sys
doubled.run(n=4)
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    os.read(go[0], 1)
    os._exit(0)
from treadle.server import embedded
embedded._close_default()
print(doubled.run(n=5).output)
os.write(go[1], b"x")
os.waitpid(child, 0)
"""
    assert script(tmp_path, body) == ["10"]


def test_a_step_that_would_wait_for_another_run_is_refused(tmp_path):
    said = script(
        tmp_path,
        "@tool\ndef again() -> None:\n    doubled.run()\n"
        "@pipeline\ndef nested():\n    return again()\n"
        "print(nested.run()['again'].failure.exception)\n",
    )
    assert said == ["treadle.errors.InvalidRequest"]


def test_local_uses_the_settings_when_no_directory_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("TREADLE_DATA_DIR", str(tmp_path / "mine"))
    with treadle.local(slots=1) as client:
        assert client.health()["data_dir"] == str(tmp_path / "mine")
