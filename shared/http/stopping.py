"""Whether an application is on its way to its end: it finishes what it has and takes no more."""

from fastapi import FastAPI


def begin_stopping(app: FastAPI) -> None:
    app.state.stopping = True


def is_stopping(app: FastAPI) -> bool:
    return bool(getattr(app.state, "stopping", False))
