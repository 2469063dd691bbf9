"""`dnalm serve`: start the dashboard and the worker that runs its jobs, say where it is, stop both cleanly."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dnalm.cli.frame import on_stop_signals, say
from dnalm.cli.worker import GRACE_S, Grace
from dnalm.errors import DnalmError, InputError

if TYPE_CHECKING:
    from types import FrameType

START_LIMIT = 600.0  # seconds; torch and streamlit take 60 s from a cold disk, many times that on a starved machine
STOP_LIMIT = 10.0
WATCH_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1


def serve(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0: all.")] = "127.0.0.1",
    with_worker: Annotated[
        bool,
        typer.Option("--worker/--no-worker", help="Run the queue's jobs, too; else start `dnalm worker` yourself."),
    ] = True,
    grace: Grace = GRACE_S,
) -> None:
    """Start the dashboard and a worker, and print the dashboard's address. Ctrl-C stops both.

    When they are stopped, jobs write a checkpoint and go back to the queue; they go on at the next start. Where either
    ends by itself, the other is stopped, too, and this command fails.
    """
    script = _dashboard()
    _check_free(host, port)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    if host not in ("127.0.0.1", "::1", "localhost"):
        say(f"listening on {host}: everyone who can reach this machine's port {port} can use the dashboard")
    children: dict[str, subprocess.Popen[bytes]] = {}
    with _stopped_by_signals():
        try:
            children["dashboard"] = _start(_command(script, host, port), script.parent.parent)
            if with_worker:
                arguments = [sys.executable, "-m", "dnalm", "worker", "--grace", str(grace)]
                children["worker"] = _start(arguments, script.parent.parent)
            _wait_until_ready(children["dashboard"], url)
            typer.echo(f"The dashboard is at {url} (Ctrl-C stops it)")
            name = _first_to_end(children)
        except KeyboardInterrupt:
            _stop(children, grace)
            say("the dashboard has stopped")
            return
        finally:
            _stop(children, grace)
    status = children[name].returncode
    raise DnalmError(f"the {name} ended by itself with exit status {status}; what it said stands above")


def _dashboard() -> Path:
    from dnalm.settings import settings

    script = settings().shipped / "dashboard" / "app.py"
    if not script.is_file():
        raise InputError(f"{script}: no dashboard there; run from a checkout of dnalm or set DNALM_SHIPPED to one")
    from importlib.util import find_spec

    if find_spec("streamlit") is None:
        raise InputError("the dashboard needs streamlit, which is absent; pip install 'dnalm[dashboard]'")
    return script


def _check_free(host: str, port: int) -> None:
    """Bind the port and let it go again: a clear sentence now, not a server elsewhere later."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server itself will do: a port in TIME_WAIT after a restart is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise InputError(f"port {port}: not allowed for this user; choose one from 1024 up") from error
        except socket.gaierror as error:
            raise InputError(f"--host {host}: not an address of this machine") from error
        except OSError as error:
            raise InputError(
                f"port {port} on {host} cannot be used ({(error.strerror or str(error)).lower()}): another "
                f"program, perhaps another dashboard, listens there; choose one with --port"
            ) from error


def _command(script: Path, host: str, port: int) -> list[str]:
    # `streamlit run` finds the st.App in the script and serves it with uvicorn, its own routes included.
    return [
        sys.executable,
        *("-m", "streamlit", "run", str(script)),
        *("--server.address", host),
        *("--server.port", str(port)),
        *("--server.headless", "true"),
        *("--browser.gatherUsageStats", "false"),
        *("--logger.level", "warning"),
    ]


def _start(command: list[str], root: Path) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own: Ctrl-C comes to us alone, and we stop it in good order."""
    return subprocess.Popen(
        command,
        env=_environment(root),
        stdout=subprocess.DEVNULL,  # Streamlit's own greeting; warnings and errors go to standard error
        start_new_session=True,
        preexec_fn=_stop_with_parent if sys.platform.startswith("linux") else None,
    )


def _stop_with_parent() -> None:
    """In a child: have the system send it SIGTERM when the process that started it is killed (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _environment(root: Path) -> dict[str, str]:
    """The child's environment: the checkout on the path, so that the script can import its own package."""
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _stopped_by_signals() -> AbstractContextManager[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C, so that the child never outlives this process."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    return on_stop_signals(interrupt)


def _wait_until_ready(child: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_LIMIT
    health = f"{url.replace('0.0.0.0', '127.0.0.1')}/_stcore/health"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise DnalmError(
                f"the dashboard could not start (exit status {child.returncode}); what it said stands above"
            )
        try:
            with opener.open(health, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise DnalmError(f"the dashboard did not answer on {url} within {START_LIMIT:.0f} s")


def _first_to_end(children: dict[str, subprocess.Popen[bytes]]) -> str:
    """Wait until one ends by itself; its name."""
    while True:
        for name, child in children.items():
            with suppress(subprocess.TimeoutExpired):
                child.wait(WATCH_SECONDS)
                return name


def _stop(children: dict[str, subprocess.Popen[bytes]], grace: float) -> None:
    """Ask the servers to stop, all at once, then insist: the worker has to wait for its jobs' checkpoints."""
    running = {name: child for name, child in children.items() if child.poll() is None}
    for child in running.values():
        child.terminate()
    for name, child in running.items():
        try:
            child.wait(STOP_LIMIT if name == "dashboard" else STOP_LIMIT + grace + 5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
