"""The bare framework: a FastAPI application that says hello, on the same server with the same options.

Run as ``python -m bench.hello PORT``.
"""

import asyncio
import sys

import uvloop
from fastapi import FastAPI

from keystead.http import listening, server


def application() -> FastAPI:
    """Return the smallest FastAPI application, with telemetry off as in ours."""
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})

    @app.get("/")
    async def hello() -> dict[str, str]:
        return {"message": "hello"}

    return app


async def serve(port: int) -> None:
    """Serve on a loopback port until ended."""
    made = server.make_server(application(), None)  # type: ignore[arg-type]  # any ASGI application will do
    await server.serve([(made, listening.listen_tcp("127.0.0.1", port))], asyncio.Event())


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
