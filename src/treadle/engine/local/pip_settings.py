"""Where pip is told to find packages, for uv, which does not read what pip reads.

Only where uv was told nothing itself. pip takes the best version of all its indexes, uv by
default that of the first that has the package: what is meant for pip is read pip's way.
"""

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

_OWN = (
    "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS",
    "UV_NO_INDEX", "UV_CONFIG_FILE",
)  # fmt: skip
_KEYS = "index_url", "extra_index_url", "find_links", "no_index", "cert"


def uv_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables for uv that say what pip's configuration says."""
    if any(environ.get(name) for name in _OWN) or _uv_is_configured(environ):
        return {}
    settings = _settings(environ)
    found: dict[str, str] = {}
    if index := settings.get("index_url"):
        found["UV_DEFAULT_INDEX"] = index
    if extra := _there(settings.get("extra_index_url", "")):
        found["UV_EXTRA_INDEX_URL"] = " ".join(extra)
        found["UV_INDEX_STRATEGY"] = environ.get("UV_INDEX_STRATEGY", "unsafe-best-match")
    if links := _there(settings.get("find_links", "")):
        found["UV_FIND_LINKS"] = ",".join(links)
    if settings.get("no_index", "").lower() in ("1", "true", "yes", "on"):
        found["UV_NO_INDEX"] = "1"
    if (cert := settings.get("cert")) and not environ.get("SSL_CERT_FILE"):
        found["SSL_CERT_FILE"] = cert
    return found


def _settings(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's settings, the later source winning: its files, then PIP_* variables."""
    found: dict[str, str] = {}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, "utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue  # pip itself will complain of it
        for section in ("global", "install"):
            for key in _KEYS:
                if value := parser.get(section, key.replace("_", "-"), fallback=""):
                    found[key] = value
    for key in _KEYS:
        if value := environ.get(f"PIP_{key.upper()}"):
            found[key] = value
    return found


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """As `pip config debug` lists them, the least important first."""
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return
    home = Path(environ.get("HOME", "~")).expanduser()
    for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        yield Path(folder, "pip", "pip.conf")
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield Path(sys.prefix) / "pip.conf"
    if chosen:
        yield Path(chosen)


def _uv_is_configured(environ: Mapping[str, str]) -> bool:
    home = Path(environ.get("HOME", "~")).expanduser()
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return any((folder / "uv" / "uv.toml").is_file() for folder in (own, Path("/etc")))


def _there(values: str) -> list[str]:
    """Those that can be asked: pip passes over a folder that is not there, uv gives up."""
    return [value for value in values.split() if (p := _local(value)) is None or p.exists()]


def _local(value: str) -> Path | None:
    """The folder that a place means; None if it is on the network."""
    if "://" not in value:
        return Path(value).expanduser()
    parts = urlsplit(value)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
