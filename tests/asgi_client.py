"""Asks an ASGI application in this process, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote

from starlette.types import ASGIApp


@dataclass
class Answer:
    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


class Client:
    """Asks an application as a server would."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def get(self, address: str, headers: Mapping[str, str] = MappingProxyType({})) -> Answer:
        return self._ask("GET", address, headers)

    def head(self, address: str, headers: Mapping[str, str] = MappingProxyType({})) -> Answer:
        return self._ask("HEAD", address, headers)

    def _ask(self, method: str, address: str, headers: Mapping[str, str]) -> Answer:
        # In a thread of its own: where browser tests ran before, this one's event loop is theirs.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(self._answer(method, address, headers))).result()

    async def _answer(self, method: str, address: str, headers: Mapping[str, str]) -> Answer:
        path, _, query = address.partition("?")
        answer, sent = Answer(0, {}, b""), asyncio.Event()
        scope = {"type": "http", "method": method, "path": unquote(path), "query_string": query.encode()}
        scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        asked = False

        async def receive():
            nonlocal asked
            if asked:  # the browser stays until it has everything
                await sent.wait()
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            if message["type"] == "http.response.start":
                answer.status_code = message["status"]
                answer.headers = {key.decode(): value.decode() for key, value in message["headers"]}
            else:
                answer.content += message["body"]
                if not message.get("more_body"):
                    sent.set()

        await self.app(scope | {"root_path": "", "http_version": "1.1"}, receive, send)
        return answer
