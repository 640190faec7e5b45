"""Words for pictures: what can be shown of a name, how wide it is, how it is cut."""

import unicodedata

#: width of characters in ems, in a wide sans-serif font, so that narrower ones fit as well
_WIDTHS = {
    **dict.fromkeys("ijl'|", 0.3),
    **dict.fromkeys(".,:;!Ifrt()[] ·-/\\", 0.4),
    **dict.fromkeys('szcJ"*°_', 0.54),
    **dict.fromkeys("mwMWQO@%…&\u00d7+=<>~^#", 0.88),
}
_LOWER, _UPPER, _WIDE = 0.63, 0.71, 1.02


def shown(text: str) -> str:
    """The text on one line, without what no terminal and no document may hold."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "\ufffd"


def ems(text: str) -> float:
    """How wide the text is drawn, in ems."""
    return sum(map(_em, text))


def _em(character: str) -> float:
    if character in _WIDTHS:
        return _WIDTHS[character]
    if character < "\x7f":
        return _UPPER if character.isupper() else _LOWER
    return (0.0, _UPPER, _WIDE)[columns(character)]


def columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if character < "\x7f":
        return 1
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, most: float) -> str:
    """The text, its middle left out where it is wider than `most` ems: ends tell names apart."""
    if ems(text) <= most:
        return text
    half = (most - _WIDTHS["…"]) / 2
    return f"{_begin(text, half)}…{_begin(text[::-1], half)[::-1]}"


def _begin(text: str, most: float) -> str:
    width = 0.0
    for index, character in enumerate(text):
        width += _em(character)
        if width > most:
            return text[:index]
    return text
