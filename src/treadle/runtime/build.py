"""Builds an environment: clears its folder, writes the files it is built from, runs the tools.

What they print is the build's log. The arguments are plain values: `folder`, `keep` (names in the
folder to leave alone), `files` {name: text}, `commands` [[program, argument, ...], ...].
"""

import os
from pathlib import Path
from typing import Any

from treadle.interfaces import Channel
from treadle.model.bindings import Value
from treadle.model.orders import Order, Report
from treadle.model.records import Certificate, Failure, FailureType
from treadle.runtime.failures import Terminated
from treadle.storage.trees import remove_tree


class BuildRuntime:
    """Performs orders of kind `build`, which only engines give."""

    def perform(self, order: Order, channel: Channel) -> Report:
        import subprocess  # noqa: PLC0415 - slots that build nothing come up sooner without it

        channel.started()
        folder = Path(_value(order, "folder"))
        try:
            _clear(folder, _value(order, "keep"))
            for name, text in _value(order, "files").items():
                (folder / name).write_text(text, "utf-8")
            for command in _value(order, "commands"):
                subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=True)
        except Terminated:
            return Report(outcome="aborted")
        except subprocess.CalledProcessError as error:
            return _failed(Path(error.cmd[0]).name, error.returncode)
        except OSError as error:
            return _report(f"{error.filename}: {error.strerror}.", Certificate())
        return Report(outcome="completed")


def _value(order: Order, name: str) -> Any:
    binding = order.arguments[name]
    assert isinstance(binding, Value)
    return binding.value


def _clear(folder: Path, keep: list[str]) -> None:
    """Remove what an earlier build that was cut short has left."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in os.scandir(folder):
        if entry.name in keep:
            continue
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry)
        else:
            os.unlink(entry)


def _failed(tool: str, code: int) -> Report:
    if code < 0:
        return _report(f"{tool} was killed by signal {-code}.", Certificate(signal=-code))
    return _report(f"{tool} ended with exit code {code}.", Certificate(exit_code=code))


def _report(message: str, certificate: Certificate) -> Report:
    failure = Failure(type=FailureType.BUILD, message=message, certificate=certificate)
    return Report(outcome="failed", failure=failure)
