"""All that passes between a browser page and the app: frames, addresses, headers, bodies, and what the page holds."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import streamlit

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Response, Route, WebSocket

BUNDLES = Path(streamlit.__file__).parent / "static"
OWN: set[str] = set()  # addresses of Streamlit's own files, the same for everybody: compared with its package once
PACKED = ("content-encoding", "content-length", "transfer-encoding")
# the whole page with its shadow roots, what its fields hold, and what it keeps for later
HELD = """() => {
    const inside = (root) => root.innerHTML + [...root.querySelectorAll('*')].map((one) =>
        (one.shadowRoot ? inside(one.shadowRoot) : '') + (one.value ?? '') + (one.title ?? '')).join('\\n');
    return [document.title, location.href, inside(document.documentElement), JSON.stringify(history.state),
        JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie].join('\\n');
}"""


class Overheard:
    """Everything that was heard of a page since this was made: pairs of what it is, and its bytes.

    ``tamper(path, body)`` may change what the server sends.
    """

    def __init__(self, page: "Page", tamper: Callable[[str, bytes], bytes] = lambda path, body: body) -> None:
        self.page = page
        self.tamper = tamper
        self.heard: list[tuple[str, bytes]] = []
        self.states: list[Any] = []  # that the route told, as JSON values
        self.headers: dict[str, dict[str, str]] = {}  # of pictures and of the route, by path
        self.pictures: dict[str, bytes] = {}  # previews, by path
        self.bundles = 0
        self._documents: list[Response] = []
        page.route("**/*", self._pass_on)
        page.on("response", self._document)
        page.on("websocket", self._socket)

    def _socket(self, socket: "WebSocket") -> None:
        self.heard.append(("address of the websocket", socket.url.encode()))
        for way in ("framesent", "framereceived"):
            socket.on(way, lambda data, way=way: self.heard.append((way, as_bytes(data))))

    def _pass_on(self, route: "Route") -> None:
        """Ask the server in the page's place, listen, and hand its answer on."""
        from playwright.sync_api import Error

        # a document from another hand would have its websocket refused by the browser
        if route.request.resource_type == "document" or route.request.url in OWN:
            self.bundles += route.request.url in OWN
            route.continue_()
            return
        with suppress(Error):  # the page was left meanwhile: nobody gets this answer
            answer = route.fetch()
            path = urlsplit(route.request.url).path
            body = self.tamper(path, answer.body())
            self._listen(path, route.request, answer.headers, body)
            kept = {name: value for name, value in answer.headers.items() if name not in PACKED}  # it is unpacked now
            route.fulfill(status=answer.status, headers=kept, body=body)

    def _listen(self, path: str, request: "Request", headers: dict[str, str], body: bytes) -> None:
        lines = "\n".join(f"{name}: {value}" for name, value in [*request.headers.items(), *headers.items()])
        self.heard.append((f"address {path}", request.url.encode()))
        self.heard.append((f"headers of {path}", lines.encode()))
        self.heard.append((f"asked of {path}", request.post_data_buffer or b""))
        bundle = BUNDLES / path.lstrip("/")
        if path.startswith("/static/") and bundle.is_file() and bundle.read_bytes() == body:
            self.bundles += 1
            OWN.add(request.url)
            return
        self.heard.append((f"body of {path}", body))
        if path.startswith("/app/"):
            self.headers[path] = headers
        if path.startswith("/app/rate/"):
            self.states.append(json.loads(body))
        if path.startswith("/app/static/previews/"):
            self.pictures[path] = body

    def _document(self, response: "Response") -> None:
        if response.request.resource_type == "document":
            self._documents.append(response)

    def look(self) -> None:
        """Hear what the page holds now; once before it is left, since it forgets its document then."""
        while self._documents:
            answer = self._documents.pop()
            self._listen(urlsplit(answer.url).path, answer.request, answer.all_headers(), answer.body())
        self.heard.append(("the page", self.page.evaluate(HELD).encode()))


def as_bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
