"""From what was typed to what may follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treadle.cli.completion.commands import Commands, commands

Candidate = tuple[str, str]  #: (what may stand there, a few words about it)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command line so far. values: by name of the parameter, in order."""

    command: str = ""
    values: Mapping[str, list[str]] = field(default_factory=dict)

    def last(self, *names: str) -> str | None:
        """The last value that one of these parameters was given."""
        for name in names:
            if given := self.values.get(name):
                return given[-1]
        return None


def candidates(words: Sequence[str], incomplete: str) -> list[Candidate]:
    """What may stand in place of the incomplete word."""
    known = commands()
    command, rest = _command_of(words)
    if command is None:
        return _starting(_all_commands(known), incomplete)
    if inside := _inside(known, command):
        name, rest = _command_of(rest)
        if name is None:
            return _starting([*inside, *_option_names(known[command], {})], incomplete)
        command = f"{command} {name}"
    return _of_command(command, known[command], rest, incomplete) if command in known else []


def _command_of(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """(the command's name, the words behind it)."""
    for index, word in enumerate(words):
        if not word.startswith("-"):
            return word, words[index + 1 :]
    return None, ()


def _all_commands(known: Commands) -> list[Candidate]:
    whole = [(name, each["help"]) for name, each in known.items() if name and " " not in name]
    return whole + _option_names(known[""], {})


def _inside(known: Commands, group: str) -> list[Candidate]:
    """The commands of a group of commands."""
    start = f"{group} "
    return [
        (n.removeprefix(start), each["help"]) for n, each in known.items() if n.startswith(start)
    ]


def _of_command(
    command: str, known: Mapping[str, Any], words: Sequence[str], incomplete: str
) -> list[Candidate]:
    from treadle.cli.completion.sources import offered  # noqa: PLC0415 - not for commands' names

    typed, awaited, place, only_arguments = _read(command, known, words)
    if awaited is not None:
        return _starting(offered(typed, awaited, incomplete), incomplete)
    if incomplete.startswith("-") and not only_arguments:
        return _options(known, typed.values, incomplete)
    argument = _argument_at(known, place)
    return _starting(offered(typed, argument, incomplete), incomplete) if argument else []


def _read(
    command: str, known: Mapping[str, Any], words: Sequence[str]
) -> tuple[Typed, Mapping[str, Any] | None, int, bool]:
    """(what was typed, the option that waits for its value, how many arguments, after `--`)."""
    options = {name: option for option in known["options"] for name in option["names"]}
    values: dict[str, list[str]] = {}
    awaited, place, only_arguments = None, 0, False
    for word in words:
        name, equals, value = word.partition("=")
        if awaited is not None:
            values.setdefault(awaited["name"], []).append(word)
            awaited = None
        elif word == "--" and not only_arguments:
            only_arguments = True
        elif name in options and not only_arguments:
            if equals or not options[name]["takes"]:
                values.setdefault(options[name]["name"], []).append(value)
            else:
                awaited = options[name]
        elif only_arguments or not word.startswith("-"):
            argument = _argument_at(known, place)
            values.setdefault(argument["name"] if argument else "", []).append(word)
            place += 1
    return Typed(command=command, values=values), awaited, place, only_arguments


def _argument_at(known: Mapping[str, Any], place: int) -> Mapping[str, Any] | None:
    arguments: list[Mapping[str, Any]] = known["arguments"]
    if place < len(arguments):
        return arguments[place]
    return arguments[-1] if arguments and arguments[-1]["many"] else None


def _options(
    known: Mapping[str, Any], given: Mapping[str, Any], incomplete: str
) -> list[Candidate]:
    return _starting(_option_names(known, given), incomplete)


def _option_names(known: Mapping[str, Any], given: Mapping[str, Any]) -> list[Candidate]:
    """Long names; what takes a value may be given again."""
    return [
        (name, option["help"])
        for option in known["options"]
        if option["takes"] or option["name"] not in given
        for name in option["names"]
        if name.startswith("--")
    ]


def _starting(found: Sequence[Candidate], incomplete: str) -> list[Candidate]:
    """Those that begin so, and that a line of a shell can hold."""
    return [(value, _line(help)) for value, help in found
            if value.startswith(incomplete) and value.isprintable() and value]  # fmt: skip


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:100]
