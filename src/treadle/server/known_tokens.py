"""The token to use for a server, where none is given. Loads little, so completion has it too."""

from pathlib import Path

from treadle.client.address import checked_url, is_loopback
from treadle.client.credentials import token_for
from treadle.server.owner_token import owner_token
from treadle.server.ownership import read_card


def known_token(data_dir: Path, url: str) -> str | None:
    """TREADLE_TOKEN, else what `treadle login` remembered, else the owner's, if that address is
    where the owner of the data directory listens. Raises as `token_for`.
    """
    return token_for(url) or _owners(data_dir, url)


def _owners(data_dir: Path, url: str) -> str | None:
    if not is_loopback(checked_url(url)):
        return None
    card = read_card(data_dir)
    if card is None or not card.url or checked_url(card.url) != checked_url(url):
        return None
    return owner_token(data_dir)
