"""The treadle command: parse, one call, print. Loads nothing until it is called."""

from treadle.cli import completion

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process; the exit code."""
    if shell := completion.asked():
        return completion.answer(shell)
    from treadle.cli.app import run_command_line  # noqa: PLC0415 - importing this must stay cheap

    return run_command_line()
