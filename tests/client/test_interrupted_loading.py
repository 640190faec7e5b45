"""Whoever leaves while a pipeline's file is being loaded does not leave the loader in its slot."""

import asyncio
import signal
import threading

import pytest

import treadle
from treadle.client import Client
from treadle.errors import Unavailable
from treadle.model.states import JobState

LOADING_FOR_EVER = """\
import time
with open({gate!r}, "w") as gate:
    gate.write("loading")
time.sleep(600)
"""


@pytest.fixture
def never_loaded(tmp_path, gate):
    """A file that opens the gate when it is being loaded, and then takes its time."""
    file = tmp_path / "slow.py"
    file.write_text(LOADING_FOR_EVER.format(gate=str(gate)))
    return file


def wait_for_the_loader(gate):
    with open(gate) as told:
        assert told.read() == "loading"


def last_loader_state(client):
    """How the newest call, which is a loader's, ended."""
    jobs, _ = client.door(lambda api: api.jobs(limit=1))
    return client.door(lambda api: api.job_ended(jobs[0].id)).job.state


def test_an_interrupt_while_a_file_is_loaded_ends_the_loader(remote, never_loaded, gate):
    # Given a run whose file is being loaded, and somebody who presses Ctrl-C then
    def interrupt():
        wait_for_the_loader(gate)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    # When it is interrupted
    with pytest.raises(KeyboardInterrupt):
        remote.run(never_loaded)
    # Then the loader's slot is free again
    assert last_loader_state(remote) is JobState.ABORTED


def test_a_client_that_is_closed_while_a_file_is_loaded_ends_the_loader(
    server, remote, never_loaded, gate
):
    # Given a client that submits in another thread
    other, raised = Client(server.url, server.token), []

    def submit():
        with pytest.raises(Unavailable, match="client is closed") as error:
            other.submit(never_loaded)
        raised.append(error)

    submitting = threading.Thread(target=submit)
    submitting.start()
    wait_for_the_loader(gate)
    # When it is closed
    other.close()
    submitting.join()
    # Then it is told so, and the loader ends
    assert raised
    assert last_loader_state(remote) is JobState.ABORTED


def test_a_cancelled_submission_ends_the_loader(server, remote, never_loaded, gate):
    async def main():
        async with treadle.AsyncClient(server.url, server.token) as client:
            submitting = asyncio.create_task(client.submit(never_loaded))
            await asyncio.to_thread(wait_for_the_loader, gate)
            submitting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await submitting

    asyncio.run(main())
    assert last_loader_state(remote) is JobState.ABORTED
