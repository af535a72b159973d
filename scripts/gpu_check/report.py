"""report.md: what a record shows, for a person."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from . import beside, figures
from .figures import Times, times
from .rows import Row, check_failed, failure, is_number, measured
from .spelling import digits, duration, percent, rate, signed_percent, table

LEGEND = """\
Median, and quartiles and number of samples, are of both passes together; drift is the second pass's median over the
first's. Floor: the least time that the formula's operations take at the ceilings measured in the same run, how much of
the median that is, and the unit that bounds it. x ours: the time over modeseek's in the same table, over 1 where
modeseek is faster; for steps per pair, since some peers handle a part of the queries. There is none where modeseek or
the peer did not run or failed its check. docs/measuring.md says how to read the rest."""

HEAD = [
    "implementation", "precision", "median:", "quartiles, samples", "drift:", "rate:", "floor:", "x ours:", "work done",
    "check",
]

# Units of work, in the order in which one of them is chosen for a rate.
UNITS = (("pairs", "pairs"), ("flops", "flop"), ("exponentials", "exp"), ("bytes", "B"))


def page(record: Dict[str, Any]) -> str:
    """The whole report."""
    rows: List[Row] = record["rows"]
    sections = [
        *_title(record), *_summary(record, rows), *_failures(record, rows), *_late(record), *_machine(record),
        *_checks(record), *_cases(record, rows), *_left_out(record, rows), *_printed(record),
    ]
    return "\n".join(sections) + "\n"


def _title(record: Dict[str, Any]) -> List[str]:
    """What this is."""
    where = record.get("name", "an unknown device")
    lines = [f"# GPU check of {str(record['date'])[:10]} on {where}", ""]
    if record.get("tried"):
        lines += ["**Sizes are tried ones, too small to time: this shows that everything runs, and nothing else.**", ""]
    if record["device"] == "interpreter":
        lines += ["**On the PTX interpreter: times say nothing about a GPU.**", ""]
    if record.get("stand_in"):
        lines += [f"**{record['stand_in']}**", ""]
    return lines


def _summary(record: Dict[str, Any], rows: List[Row]) -> List[str]:
    """The parts, and modeseek beside the fastest peer of each case."""
    parts = record.get("parts", [])
    failed = [part["name"] for part in parts if part["state"] == "failed"]
    broken = [row for row in rows if failure(row)]
    good = [row for row in rows if measured(row)]
    verdict = f"**Failed: {', '.join(failed)}.**" if failed else "Nothing failed."
    stopped = [part["name"] for part in parts if part["state"] == "interrupted"]
    late = [part["name"] for part in parts if part.get("out_of_time")]
    lines = [
        f"{verdict} {len(good)} rows measured, {len(broken)} failed, {sum('left_out' in row for row in rows)} left out."
        + (f" Out of time: {', '.join(late)}." if late else "")
        + (f" **Interrupted: {', '.join(stopped)}.**" if stopped else ""), "",
        *table(["part", "state", "time:", "why"], [_part(part) for part in parts]),
    ]
    both = _beside(rows)
    if both:
        head = [
            "case", "device", "precision", "modeseek:", "rate:", "way", "fastest peer", "its median:", "x ours:",
            "work, ours / its",
        ]
        about = "modeseek's fastest way, and the fastest peer, of the same precision, of those whose checks passed:"
        lines += ["", about, "", *table(head, both)]
    return lines


def _part(part: Dict[str, Any]) -> List[str]:
    """A part's row."""
    checks = part.get("checks", [])
    passed = sum(check["outcome"] == "passed" for check in checks)
    counted = [f"{passed} of {len(checks)} passed"] if checks else []
    why = counted + part["why"] + part.get("out_of_time", [])
    return [part["name"], part["state"], f"{part['seconds']:.1f} s", "; ".join(why)]


def _beside(rows: List[Row]) -> List[List[str]]:
    """A row for each case and precision that modeseek passed."""
    body = []
    for (case, device), group in grouped(rows).items():
        if case.startswith(figures.CEILING):
            continue
        for ours, fastest in beside.pairs(group):
            cells = [case, device, str(ours.get("precision", "")), duration(times(ours).median), rate_of(ours)]
            cells.append(beside.way_of(ours))
            if fastest is None:
                cells += ["none ran", "", "", ""]
            else:
                ratio = figures.ratio(fastest, ours)
                cells += [_name(fastest), duration(times(fastest).median), "" if ratio is None else digits(ratio)]
                cells.append(beside.work_beside(ours, fastest))
            body.append(cells)
    return body


def grouped(rows: List[Row]) -> Dict[Tuple[str, str], List[Row]]:
    """Rows by case and device, in their order."""
    groups: Dict[Tuple[str, str], List[Row]] = {}
    for row in rows:
        groups.setdefault((row["case"], row["device"]), []).append(row)
    return groups


def _failures(record: Dict[str, Any], rows: List[Row]) -> List[str]:
    """Everything that failed, before anything else."""
    items = [f"- {row['case']}, {_name(row)}, {row['device']}: {failure(row)}" for row in rows if failure(row)]
    for part in record.get("parts", []):
        items += [
            f"- {part['name']}, {check['name']}: {check['why']}"
            for check in part.get("checks", []) if check["outcome"] == "failed"
        ]
        if part["state"] == "failed":
            items += [f"- {part['name']}: {why}" for why in part["why"]]
    return ["", "## Failed", "", *dict.fromkeys(items)] if items else []


def _late(record: Dict[str, Any]) -> List[str]:
    """What there was no time for: nothing is known to be wrong with it."""
    items = [f"- {part['name']}: {why}" for part in record.get("parts", []) for why in part.get("out_of_time", [])]
    return ["", "## Out of time", "", *items] if items else []


def _machine(record: Dict[str, Any]) -> List[str]:
    """Machine, versions, and the state before and after."""
    host, origin = record.get("host", {}), record.get("origin", {})
    dirty = ", with changes not yet committed" if origin.get("dirty") else ""
    lines = [
        "", "## Machine", "",
        f"- {host.get('cores')} cores of {host.get('cpu')}; {host.get('kernel')}; {host.get('libc')}.",
        f"- Commit {origin.get('commit')}{dirty}; {origin.get('rustc')}.",
        f"- `{record.get('command')}`, begun {record['date']}, at most {digits(record.get('minutes', 0))} minutes.",
    ]
    lines += [f"- {key.replace('_', ' ')}: {_flat(value)}" for key, value in record.get("machine", {}).items()
              if value is not None]
    known = record.get("versions", {})
    if known:
        lines.append(f"- Versions: {', '.join(f'{name} {value}' for name, value in known.items())}.")
    lines.append(f"- Load average before: {_flat(record.get('before', {}).get('load_average'))}; "
                 f"after: {_flat(record.get('after', {}).get('load_average'))}.")
    before, after = (record.get(when, {}).get("nvidia_smi") or {} for when in ("before", "after"))
    if before or after:
        keys = list(dict.fromkeys([*before, *after]))
        body = [[key, before.get(key, ""), after.get(key, "")] for key in keys]
        lines += ["", *table(["nvidia-smi", "before", "after"], body)]
    return lines


def _flat(value: Any) -> str:
    """A value in a line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(one)}" for key, one in value.items())
    if isinstance(value, list):
        return " ".join(_flat(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _checks(record: Dict[str, Any]) -> List[str]:
    """Conformance and sanitizer, line by line."""
    lines: List[str] = []
    for part in record.get("parts", []):
        if part.get("checks"):
            order = {"failed": 0, "skipped": 1, "cut": 2, "left out": 3}
            checks = sorted(part["checks"], key=lambda check: order.get(check["outcome"], 4))
            body = [[check["name"], check["outcome"], check["why"]] for check in checks]
            lines += ["", f"## {part['name'].capitalize()}", "", *table(["check", "outcome", "why"], body)]
    return lines


def _cases(record: Dict[str, Any], rows: List[Row]) -> List[str]:
    """A table for each case."""
    shown = [row for row in rows if "left_out" not in row]
    if not shown:
        return []
    rates = figures.ceilings(rows)
    lines = ["", "## Cases", "", LEGEND]
    for (case, device), group in grouped(shown).items():
        d = figures.dimensions(case, record.get("cases", {}))
        ours = figures.ours(group)
        ordered = sorted(group, key=lambda row: not failure(row))
        body = [_row(row, ours, rates.get(device, {}), d) for row in ordered]
        lines += ["", f"### {case}, {device}", "", *table(HEAD, body), *_notes(ordered)]
    return lines


def _row(row: Row, ours: Optional[Row], rates: Dict[str, float], d: Optional[int]) -> List[str]:
    """A row of a case's table."""
    precision = str(row.get("precision", ""))
    if "failed" in row:
        return [_name(row), precision, "", "", "", "", "", "", "", f"failed: {row['failed']}"]
    of: Times = times(row)
    spread = f"{duration(of.low)} – {duration(of.high)}, {of.count}"
    cells = [_name(row), precision, duration(of.median), spread, signed_percent(of.drift), rate_of(row)]
    least = figures.floor(row, rates, d) if not row["case"].startswith(figures.CEILING) else None
    cells.append(f"{percent(least.seconds / of.median)} of {least.bound}" if least and measured(row) else "")
    ratio = figures.ratio(row, ours)
    cells.append("" if ratio is None else digits(ratio))
    return [*cells, _work(row), _check(row)]


def _name(row: Row) -> str:
    """The implementation."""
    return str(row["implementation"])


def rate_of(row: Row) -> str:
    """Work a second, in the unit that the row counts."""
    work = row.get("work", {})
    for key, unit in UNITS:
        if is_number(work.get(key)) and work[key] > 0:
            return rate(work[key] / times(row).median, unit)
    return ""


def _work(row: Row) -> str:
    """What was done: nobody wins by doing less."""
    counted = [(key, value) for key, value in row.get("work", {}).items() if is_number(value)]
    work = [f"{key} {digits(value)}" if value < 1e5 else f"{key} {value:.3g}" for key, value in counted]
    known = [(key, value) for key, value in (row.get("found") or {}).items() if value is not None]
    found = [f"{key.replace('_', ' ')} {_figure(value)}" for key, value in known]
    return ", ".join(work + found)


def _figure(value: Any) -> str:
    """A figure that was found."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:.3g}" if isinstance(value, int) and abs(value) >= 1e6 else str(value)


def _check(row: Row) -> str:
    """The check's error and its limit."""
    check = row.get("check")
    if not check:
        return "none"
    error, limit = check.get("error"), check.get("limit")
    sizes = f"{error:.2g} of {limit:.2g}" if is_number(error) and is_number(limit) else "not a number"
    verdict = "FAILED" if check_failed(row) else "passed"
    return f"{verdict}: {check.get('measure', 'error')} {sizes}, against {check.get('against')}"


def _notes(rows: List[Row]) -> List[str]:
    """What rows say besides, and timers that are not the device's."""
    notes = [f"- {_name(row)}: {row['note']}" for row in rows if row.get("note")]
    timers = {str(row.get("timer")) for row in rows if "timer" in row}
    if len(timers) > 1:
        notes.append("- Timers differ: " + ", ".join(f"{_name(row)} {row['timer']}" for row in rows if "timer" in row))
    elif timers:
        notes.append(f"- Timed by: {', '.join(timers)}.")
    return ["", *notes] if notes else []


def _left_out(record: Dict[str, Any], rows: List[Row]) -> List[str]:
    """What did not run, by name."""
    reasons: Dict[Tuple[str, str], List[str]] = {}
    for row in rows:
        if "left_out" in row:
            reasons.setdefault((_name(row), str(row["left_out"])), []).append(row["case"])
    items = [f"- {name} ({', '.join(cases)}): {why}" for (name, why), cases in reasons.items()]
    items += [
        f"- {part['name']}: {'; '.join(part['why'])}" for part in record.get("parts", []) if part["state"] == "left out"
    ]
    return ["", "## Left out", "", *items] if items else []


def _printed(record: Dict[str, Any]) -> List[str]:
    """What the program printed."""
    lines: List[str] = []
    for part in record.get("parts", []):
        for printed in part.get("printed", {}).values():
            lines += ["", f"`{printed['command']}`:", "", "```text", printed["text"], "```"]
    return ["", "## What the program printed", *lines] if lines else []
