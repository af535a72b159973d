#!/usr/bin/env python3
"""Measures the peers in Python on the cases that `device export` wrote, and writes a result file."""

from __future__ import annotations

import argparse
import os
import sys


def arguments(given=None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder that `device export` wrote")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cpu")
    parser.add_argument("--out", help="result file")
    parser.add_argument("--only", default="", metavar="KEY,..", help="peers by their keys; --list names them")
    parser.add_argument("--cases", default="", metavar="CASE,..", help="cases by their names")
    parser.add_argument("--list", action="store_true", help="names the peers, and whether they are there")
    parser.add_argument("--tried", action="store_true", help="every peer once, whatever the time; for small data")
    parser.add_argument("--passes", type=int, default=2, help="passes over the peers of a case")
    parser.add_argument("--seconds", type=float, default=0.5, help="samples fill this, for each case, peer and pass")
    parser.add_argument("--minutes", type=float, default=3.0, help="nothing begins after this")
    parser.add_argument("--resume", action="store_true", help="keeps the rows of the result file, adds those missing")
    parser.add_argument("--alone", action="store_true", help="in this very process, which a peer may end")
    options = parser.parse_args(given)
    if not options.list and not (options.data and options.out):
        parser.error("--data and --out are needed")
    return options


def main(given=None) -> int:
    """The whole of it."""
    options = arguments(given)
    if not (options.list or options.alone):
        from rig.processes import supervise

        typed = sys.argv[1:] if given is None else given
        command = [sys.executable, os.path.abspath(__file__), *typed, "--alone"]
        return supervise(command, options.out, options.minutes)
    if options.device == "cpu":
        # Triton reads this when it is imported.
        os.environ["TRITON_INTERPRET"] = "1"
    # Triton 3.10 no longer fuses multiplications and additions unless told.
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")
    from rig.setting import Setting

    setting = Setting(options.device, options.tried)
    if options.list:
        return show(setting)
    from rig.rounds import Rounds

    return Rounds(options, setting).all()


def show(setting) -> int:
    """The peers, a line each."""
    from peers import all_peers
    from rig.rounds import missing

    for peer in all_peers():
        reason = missing(peer, setting)
        print("%-20s %-10s %-45s %s" % (peer.key, ",".join(peer.kinds), peer.name, reason or "there"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
