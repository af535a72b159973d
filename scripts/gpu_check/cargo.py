"""Builds the three programs, and finds them through cargo's messages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional

from .errors import Refused

# Target kind, as cargo's messages name it, of each program.
KINDS = {"modeseek": "bin", "conformance": "test", "device": "bench"}

# To try things out, what `cargo test` has built for the most part: no second build of everything.
DEV = {
    "modeseek": ["build", "-p", "host", "--bin", "modeseek"],
    "conformance": ["test", "-p", "host", "--test", "conformance", "--no-run"],
    "device": ["bench", "-p", "host", "--bench", "device", "--no-run", "--profile", "dev"],
}
STRIP = ["--config", 'profile.release.strip="symbols"']
RELEASE = {
    "modeseek": [*DEV["modeseek"], "--release", *STRIP],
    "conformance": [*DEV["conformance"], "--release", *STRIP],
    "device": ["bench", "-p", "host", "--bench", "device", "--no-run", *STRIP],
}


def build(root: Path, commands: Dict[str, List[str]]) -> Dict[str, Path]:
    """Runs the commands; gives the programs' files. Cargo's progress goes to the standard error."""
    programs = {}
    for name, words in commands.items():
        command = ["cargo", *words, "--message-format=json"]
        try:
            done = subprocess.run(command, cwd=str(root), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        except OSError as error:
            raise Refused(f"cargo does not start ({error.strerror}): Rust is needed to build the programs") from error
        messages = done.stdout.decode("utf-8", "replace")
        if done.returncode != 0:
            raise Refused(f"`cargo {' '.join(words)}` fails; its messages are above{complaint(messages)}")
        path = executable(messages, name, KINDS[name])
        if path is None:
            raise Refused(f"`cargo {' '.join(words)}` names no executable {name}")
        programs[name] = path
    return programs


def executable(messages: str, name: str, kind: str) -> Optional[Path]:
    """The file of a target, from cargo's messages, one JSON object a line."""
    found = None
    for message in _messages(messages):
        target = message.get("target", {})
        artifact = message.get("reason") == "compiler-artifact" and message.get("executable")
        if artifact and target.get("name") == name and kind in target.get("kind", []):
            found = Path(message["executable"])
    return found


def complaint(messages: str) -> str:
    """The compiler's first error: with --message-format=json it is not on the standard error."""
    for message in _messages(messages):
        inner = message.get("message") or {}
        if message.get("reason") == "compiler-message" and inner.get("level") == "error":
            return f": {inner.get('message', '')}"
    return ""


def _messages(text: str) -> List[Dict[str, Any]]:
    """The objects; other lines are what a build script printed."""
    found = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found
