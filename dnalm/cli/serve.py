"""`dnalm serve`: start the dashboard, say where it is, stop it cleanly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dnalm.cli.frame import say
from dnalm.errors import DnalmError, InputError

if TYPE_CHECKING:
    from types import FrameType

START_LIMIT = 120.0  # seconds; a cold disk reads torch and streamlit in well under half of this
STOP_LIMIT = 10.0


def serve(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0: all.")] = "127.0.0.1",
) -> None:
    """Start the dashboard and print its address. Ctrl-C stops it."""
    script = _dashboard()
    _check_free(host, port)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    if host not in ("127.0.0.1", "::1", "localhost"):
        say(f"listening on {host}: everyone who can reach this machine's port {port} can use the dashboard")
    with _stopped_by_signals():
        child = _start(script, host, port)
        try:
            _wait_until_ready(child, url)
            typer.echo(f"The dashboard is at {url} (Ctrl-C stops it)")
            status = child.wait()
        except KeyboardInterrupt:
            _stop(child)
            say("the dashboard has stopped")
            return
        finally:
            _stop(child)
    raise DnalmError(f"the dashboard ended by itself with exit status {status}; what it said stands above")


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


def _start(script: Path, host: str, port: int) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own: Ctrl-C comes to us alone, and we stop it in good order."""
    return subprocess.Popen(
        _command(script, host, port),
        env=_environment(script.parent.parent),
        stdout=subprocess.DEVNULL,  # Streamlit's own greeting; its warnings and errors go to standard error
        start_new_session=True,
    )


def _environment(root: Path) -> dict[str, str]:
    """The child's environment: the checkout on the path, so that the script can import its own package."""
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C, so that the child never outlives this process."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    # SIGINT too: a shell starts background jobs with it ignored, and a supervisor may still send it.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, interrupt)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


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


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop, then insist."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
