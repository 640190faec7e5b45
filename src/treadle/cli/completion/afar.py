"""A quick look at a server, for completion on the command line.

It asks with the standard library alone, and at most a second is waited for an answer, however the
network is. What cannot be had is not there.
"""

import http.client
import json
import os
import ssl
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

PATIENCE_SECONDS = 1.0
MOST = 100  #: runs that are looked at, newest first


class Afar:
    """The same questions as to a `Glance`; made and used at once. token: "" for none."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = urlsplit(url), token

    def _ask(self, path: str) -> Mapping[str, Any]:
        """The JSON answer, or an empty one. In a thread: a name may take long to be resolved."""
        found: list[Mapping[str, Any]] = []
        asking = threading.Thread(target=lambda: found.append(self._get(path)), daemon=True)
        asking.start()
        asking.join(PATIENCE_SECONDS)
        return found[0] if found else {}

    def _get(self, path: str) -> Mapping[str, Any]:
        connection = self._connection()
        try:
            headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
            connection.request("GET", f"{self._url.path.rstrip('/')}/api/v1{path}", headers=headers)
            answer = connection.getresponse()
            told = json.loads(answer.read()) if answer.status == 200 else {}
            return told if isinstance(told, dict) else {}
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            if file := os.environ.get("TREADLE_CA"):
                context.load_verify_locations(file)
            return http.client.HTTPSConnection(
                host, port, timeout=PATIENCE_SECONDS, context=context
            )
        return http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)

    def _newest(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self._ask(f"/runs?limit={MOST}").get("runs", ())
        return found

    def runs(self, prefix: str = "", states: Sequence[str] = ()) -> list[tuple[str, str, str, Any]]:
        """(id, pipeline, state, seconds since 1970 of its beginning), newest first."""
        return [
            (run["id"], run["pipeline"], run["state"], _seconds(run["created_at"]))
            for run in self._newest()
            if run["id"].startswith(prefix) and (not states or run["state"] in states)
        ]

    def run(self, asked: str) -> str | None:
        """The run as the server finds it: an id, its unique beginning, or the newest."""
        if asked in ("@last", "latest"):
            return next((run["id"] for run in self._newest()), None)
        return asked

    def steps(self, run_id: str) -> list[tuple[str, str]]:
        """(step, state), in order."""
        jobs = self._ask(f"/runs/{quote(run_id, safe='')}").get("jobs", ())
        return [(job["step"], job["state"]) for job in jobs]

    def outputs(self, run_id: str) -> list[tuple[str, str, str]]:
        """The steps: what each made would take a question for each."""
        return [(step, "result", state) for step, state in self.steps(run_id)]

    def pipelines(self) -> list[str]:
        """Those of the newest runs."""
        return sorted({run["pipeline"] for run in self._newest()})

    def labels(self) -> list[tuple[str, str]]:
        """(key, value) of the newest runs."""
        labelled = [tuple(each) for run in self._newest() for each in run["labels"].items()]
        return list(dict.fromkeys((str(key), str(value)) for key, value in labelled))


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
