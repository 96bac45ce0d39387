"""The official Python clients trade on the local exchange.

Usage: python3 conformance/python/run.py [--exchange PROGRAM]

Installs the clients into a virtual environment outside the repository, starts `oddsmith exchange`, runs the checks of both
clients against it, and prints a table and `N passed, N failed`. Says so and ends with 0 when Python or a package is missing.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

PACKAGES = ["polymarket-client==0.14.0", "py-clob-client-v2==1.2.1"]
PATIENCE_S = 180
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def environment() -> pathlib.Path | None:
    """The Python of a virtual environment that has both clients."""
    folder = pathlib.Path(
        os.environ.get("ODDSMITH_PYTHON_VENV", pathlib.Path(tempfile.gettempdir()) / "oddsmith-python")
    )
    python = folder / "bin" / "python"
    if not python.exists():
        if not succeeds([sys.executable, "-m", "venv", str(folder)]):
            return None
    wanted = [str(python), "-m", "pip", "install", "-q", "--retries", "1", *PACKAGES]
    return python if succeeds(wanted) else None


def succeeds(command: list[str]) -> bool:
    """Whether a command ends well within the time that an installation may take."""
    try:
        return subprocess.run(command, check=False, timeout=PATIENCE_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--exchange", default=os.environ.get("ODDSMITH_BIN"))
    program = arguments.parse_args().exchange
    if sys.version_info < (3, 11):
        print("skipped: the official clients need Python 3.11")
        return 0
    python = environment()
    if python is None:
        print("skipped: the official clients could not be installed")
        return 0
    if program is None:
        subprocess.run(["cargo", "build", "--bin", "oddsmith"], cwd=ROOT, check=True)
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        program = str(target / "debug" / "oddsmith")
    command = [program, "exchange", "--listen", "127.0.0.1:0", "--seed", "1"]
    exchange = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        info = exchange.stdout.readline()
        json.loads(info)
        return subprocess.run([str(python), str(HERE / "checks.py")], input=info, text=True, check=False).returncode
    finally:
        exchange.kill()
        exchange.wait()


if __name__ == "__main__":
    sys.exit(main())
