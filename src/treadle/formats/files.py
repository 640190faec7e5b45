"""Text of the files that definitions name."""

from pathlib import Path

from treadle.errors import InvalidDefinition


def read_text(path: Path, where: str) -> str:
    """All of the file. Raises InvalidDefinition if it is no readable file of UTF-8 text."""
    if not path.is_file():  # a FIFO would be waited for
        raise InvalidDefinition(f"There is no file {path}.", where=where)
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise InvalidDefinition(f"{path} cannot be read: {error.strerror}.", where=where) from None
    except UnicodeDecodeError:
        hint = "Save it as UTF-8."
        raise InvalidDefinition(f"{path} is not UTF-8 text.", where=where, hint=hint) from None
