"""The address under which a browser asks what comes next and says what a rater said: JSON in, JSON out."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from sqlite_utils import Database
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from db import DatabaseTooNew
from workbench.rating import answers
from workbench.rating.problem import AlreadyAnswered, NoSuchSitting, RatingError
from workbench.rating.state import state
from workbench.workspace import Workspace

Reply = tuple[int, dict[str, Any]]

PATH = "/app/rate/{sitting}"
LARGEST = 16 * 1024  # bytes of an answer
WAIT_MS = 5_000  # for another writer; then the browser is told, and asks again
OUT_OF_REACH = (sqlite3.DatabaseError, OSError, DatabaseTooNew)  # locked, full, broken, unplugged, of a newer workbench
NOTHING_ELSE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def route(ws: Workspace) -> Route:
    """GET tells the state of a sitting, POST takes an answer or an undo and tells the state after it."""
    held: list[Database] = []

    async def endpoint(request: Request) -> Response:
        token = request.path_params["sitting"]
        if not held:
            held.extend(await run_in_threadpool(idle, ws))
        if request.method != "POST":
            return reply(*await run_in_threadpool(tell, ws, token))
        refused = refuse(request)
        if refused:
            return reply(*refused)
        body = await read(request)
        return reply(*await run_in_threadpool(take, ws, token, body))

    return Route(PATH, endpoint, methods=["GET", "POST"])


def idle(ws: Workspace) -> list[Database]:
    """A connection that nobody uses, to be kept: when the last one to a database closes, SQLite folds its log into the
    file, which after every answer would take longer than the answer."""
    try:
        return [ws.open()]
    except OUT_OF_REACH:
        return []  # whoever asked is told so


def reply(status: int, content: Mapping[str, Any]) -> Response:
    return JSONResponse(content, status, NOTHING_ELSE)


def refuse(request: Request) -> Reply | None:
    """Another site's page can't answer: it can send no JSON without being asked where it comes from."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        return 415, {"error": "An answer must be sent as application/json."}
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
        return 403, {"error": "Answers are taken from the workbench's own pages only."}
    return None


async def read(request: Request) -> bytes | None:
    """The body; None where it is too large, of which no more than needed is read."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            return None
    return body


def tell(ws: Workspace, token: str) -> Reply:
    """The state of a sitting."""
    return guarded(ws, lambda db: (200, state(db, token, ws)))


def take(ws: Workspace, token: str, body: bytes | None) -> Reply:
    """Commit what was sent, then tell the state; what can't be taken is told with it."""

    def act(db: Database) -> Reply:
        try:
            accept(db, token, parsed(body))
        except NoSuchSitting:
            raise
        except RatingError as problem:
            status = 409 if isinstance(problem, AlreadyAnswered) else 422
            words = str(problem).encode(errors="replace").decode()  # what was sent may hold half a character
            return status, {"error": words, "state": state(db, token, ws)}
        return 200, state(db, token, ws)

    return guarded(ws, act)


def accept(db: Database, token: str, payload: Mapping[str, Any]) -> None:
    """Save an answer, or take one back. Raises RatingError."""
    if "undo" not in payload:
        answers.save(db, token, payload)
        return
    item = payload.get("item")
    if payload["undo"] is not True or payload.keys() - {"undo", "item"} or not isinstance(item, str | None):
        raise RatingError("An undo is sent as 'undo': true, with nothing beside it but which 'item' is meant.")
    answers.undo(db, token, item)


def parsed(body: bytes | None) -> Mapping[str, Any]:
    """The JSON object that was sent. Raises RatingError."""
    if body is None:
        raise RatingError(f"An answer has at most {LARGEST // 1024} KB.")
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise RatingError("The answer is not JSON.") from None
    if not isinstance(payload, dict):
        raise RatingError("The answer must be a JSON object.")
    return payload


def guarded(ws: Workspace, act: Callable[[Database], Reply]) -> Reply:
    """Act on the database; say so where there is no such sitting, and where it can't be read or written now."""
    try:
        with closing(ws.open().conn) as connection:
            connection.execute(f"pragma busy_timeout = {WAIT_MS}")
            return act(Database(connection))
    except NoSuchSitting as problem:
        return 404, {"error": str(problem)}
    except OUT_OF_REACH as problem:
        return 503, {"error": f"It could not be saved now: {str(problem).rstrip('.')}."}
