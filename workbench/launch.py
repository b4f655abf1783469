"""Start the web app on this machine: Streamlit's pages, and the workspace's pictures beside them."""

import io
import os
import re
import socket
import threading
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import streamlit as st
import uvicorn
from PIL import Image
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from streamlit.runtime.pages_manager import PagesManager

from db import library, results, runs
from workbench.rating.route import route as rate_route
from workbench.running.stdin_watch import when_stdin_closes
from workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
THUMB_PX = 384
MEDIA_TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}
# A token, a photo's hash and a checkpoint's hash stand in the address, and what they name never changes.
FOR_EVER = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class PortTaken(RuntimeError):
    """Something else answers at the port that the app was to use."""


def run_app(ws: Workspace, port: int, watch_stdin: bool = False) -> None:
    """Serve the app on 127.0.0.1 until it is stopped; with ``watch_stdin``, until stdin closes.

    Prints ``Workbench: http://127.0.0.1:PORT`` once the app answers there. Raises PortTaken.
    """
    refuse_taken(port)
    os.environ["WORKBENCH_HOME"] = str(ws.home.resolve())  # the pages find their workspace here
    if watch_stdin:
        when_stdin_closes(lambda: os._exit(0))  # every write was committed when it was made: nothing to finish
    send_at_once()
    build_app(ws, port).run(config={**settings(), "server.port": port})


def send_at_once() -> None:
    """Let every reply leave as soon as it is written.

    Streamlit makes the server's socket without TCP_NODELAY, and a reply is written in two parts: its head, and then
    what it says, which would wait some 40 ms until the browser has confirmed the head (Nagle's algorithm meeting
    delayed acknowledgements). Connections have the option from the socket that takes them.
    """
    plain = uvicorn.Server.startup

    async def startup(server: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        for each in sockets or []:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await plain(server, sockets)

    uvicorn.Server.startup = startup  # type: ignore[assignment,method-assign]


def build_app(ws: Workspace, port: int) -> st.App:
    """The app: pages, picture routes, and no answer to a host name that isn't this machine's."""

    # Else the first visit takes pages/ for Streamlit's own kind of page folder and runs a page alone.
    PagesManager.uses_pages_directory = False

    @asynccontextmanager
    async def announce(_: st.App) -> AsyncIterator[None]:
        threading.Thread(target=say_when_up, args=(port,), daemon=True).start()
        yield

    return st.App(
        ROOT / "app.py",
        lifespan=announce,
        routes=routes(ws),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", HOST])],
    )


def refuse_taken(port: int) -> None:
    """Stop before the address of somebody else's server is announced as ours."""
    with closing(socket.socket()) as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise PortTaken(f"Port {port} is taken by another program. Choose another one with --port.")


def settings() -> dict[str, Any]:
    """.streamlit/config.toml as dotted names: Streamlit itself finds that file only from some folders."""
    return flatten(tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8")))


def flatten(tree: dict[str, Any], above: str = "") -> dict[str, Any]:
    """{"theme": {"light": {"textColor": x}}} -> {"theme.light.textColor": x}"""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= flatten(value, f"{above}{name}.") if isinstance(value, dict) else {above + name: value}
    return flat


def say_when_up(port: int) -> None:
    """Print the address as soon as something answers there."""
    while True:
        with closing(socket.socket()) as probe:
            if probe.connect_ex((HOST, port)) == 0:
                break
        time.sleep(0.05)
    print(f"Workbench: http://{HOST}:{port}", flush=True)


def routes(ws: Workspace) -> list[Route]:
    """What a browser may fetch: by token or by number and hash, never by path. And where it says what people said."""
    return [
        Route("/app/static/previews/{name}", _answer(ws, preview)),
        Route("/app/static/photos/{name}", _answer(ws, photo)),
        Route("/app/static/loras/{name}", _answer(ws, lora)),
        rate_route(ws),
    ]


def _answer(ws: Workspace, find: Callable[[Workspace, str], Response | None]) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        found = find(ws, request.path_params["name"])
        return found or Response("There is nothing here.", 404, {"Cache-Control": "no-store"})

    return endpoint


def preview(ws: Workspace, name: str) -> Response | None:
    """TOKEN.webp is the thumbnail, TOKEN.png the picture as it was rendered."""
    asked = re.fullmatch(r"([\w-]+)\.(webp|png)", name, re.ASCII)
    if asked is None:
        return None
    with closing(ws.open()) as db:
        row = results.preview_by_token(db, asked[1])
    if row is None:
        return None
    file = ws.path(row["thumb"] if asked[2] == "webp" else row["file"])
    # Not as a file: its date and ETag tell when the picture was rendered, and with that which run it is from.
    return Response(file.read_bytes(), 200, FOR_EVER, MEDIA_TYPES[file.suffix]) if file.is_file() else None


def photo(ws: Workspace, name: str) -> Response | None:
    """DATASET-POSITION-HASH.png is the prepared square, .webp a small copy of it."""
    asked = re.fullmatch(r"(\d{1,9})-(\d{1,9})-([0-9a-f]{12})\.(webp|png)", name, re.ASCII)
    if asked is None:
        return None
    with closing(ws.open()) as db:
        rows = library.photos(db, int(asked[1]))
    for row in rows:
        if row["position"] == int(asked[2]) and row["sha256"].startswith(asked[3]):
            file = ws.path(row["file"])
            return _small(file) if asked[4] == "webp" else _file(file)
    return None


def lora(ws: Workspace, name: str) -> Response | None:
    """CHECKPOINT-HASH.safetensors: a LoRA file, to keep under the name that it has in the workspace."""
    asked = re.fullmatch(r"(\d{1,9})-([0-9a-f]{12})\.safetensors", name, re.ASCII)
    if asked is None:
        return None
    with closing(ws.open()) as db:
        row = runs.checkpoint(db, int(asked[1]))
    if row is None or not row["sha256"].startswith(asked[2]):
        return None
    file = ws.path(row["file"])
    return _file(file, filename=file.name)


def _file(path: Path, filename: str | None = None) -> Response | None:
    media_type = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    return FileResponse(path, 200, FOR_EVER, media_type, filename=filename) if path.is_file() else None


def _small(path: Path) -> Response | None:
    """A photo at thumbnail size: dozens of full photos on one page would take seconds to show."""
    if not path.is_file():
        return None
    with Image.open(path) as picture:
        if max(picture.size) <= THUMB_PX:
            return _file(path)
        small, out = picture.convert("RGB"), io.BytesIO()
    small.thumbnail((THUMB_PX, THUMB_PX))
    small.save(out, "webp", quality=90)
    return Response(out.getvalue(), 200, FOR_EVER, MEDIA_TYPES[".webp"])
