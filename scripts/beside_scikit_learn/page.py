"""The record for a person."""

from __future__ import annotations

from typing import Any, Dict, List

from gpu_check.spelling import digits, duration, table

LEGEND = """\
Seconds are of one fit, from points in memory to labels in memory: modeseek's prepare, iterate, label and download;
the call of MeanShift.fit. They are medians, and the least and the most, of fits by turns, after one of each that does
not count. Both have the flat kernel of the same bandwidth, the same seeds, tolerance (1e-3 bandwidths) and rule of
merging; modeseek computes in f32, scikit-learn in f64. Ratio: the faster median of scikit-learn's over modeseek's,
over 1 where modeseek is faster: with more jobs a fit need not be faster, least of all a small one. ARI: the adjusted
Rand index with the clusters from which the points were drawn. Apart: the largest distance from a centre of
scikit-learn's to the nearest mode of modeseek's, in bandwidths."""

# Around the columns of scikit-learn's ways.
HEAD = ["case", "points:", "seeds", "modeseek:"]
REST = ["ratio:", "clusters, ours / its", "ARI, ours / its", "apart:"]


def page(record: Dict[str, Any]) -> str:
    """The whole page."""
    host = record["host"]
    head = [*HEAD, *(f"scikit-learn, n_jobs={jobs}:" for jobs in record["n_jobs"]), *REST]
    lines = [f"# Beside scikit-learn, {str(record['date'])[:10]} on {host['cpu']}", ""]
    if record.get("tried"):
        lines += ["**Sizes are tried ones, too small to time: this shows that everything runs, and nothing else.**", ""]
    lines += [
        f"{host['cores']} cores; {host['kernel']}; scikit-learn {record['scikit_learn']}; "
        f"modeseek on `{record['device']}`, {record['threads']} threads; Python {record['python']}.",
        f"{_origin(record['origin'])} `{record['command']}`.",
        f"Load average before: {_load(record['load_average_before'])}; after: {_load(record['load_average_after'])}.",
        "", *table(head, [_row(case) for case in record["cases"]]), "", LEGEND,
    ]
    return "\n".join(lines) + "\n"


def _origin(origin: Dict[str, Any]) -> str:
    """Which sources."""
    if not origin.get("commit"):
        return "The program was given: nothing is known of its sources."
    return f"Commit {origin['commit']}{', with changes not yet committed' if origin.get('dirty') else ''}."


def _load(loads: Any) -> str:
    """Three load averages."""
    return " ".join(str(load) for load in loads) if loads else "unknown"


def _row(case: Dict[str, Any]) -> List[str]:
    """A case's row."""
    ours, theirs = case["modeseek"], case["scikit_learn"]
    return [
        case["case"], f"{case['points']:,}", case["seeds"], _times(ours), *(_times(way) for way in theirs),
        _digits(case["ratio"]), f"{ours['clusters']} / {theirs[0]['clusters']}",
        f"{ours['adjusted_rand_index']:.4f} / {theirs[0]['adjusted_rand_index']:.4f}", _digits(case["modes_apart"], 2),
    ]


def _times(side: Dict[str, Any]) -> str:
    """Median, least and most."""
    samples = side["samples_s"]
    return f"{duration(side['median_s'])} ({duration(min(samples))} – {duration(max(samples))}, {len(samples)})"


def _digits(value: Any, places: int = 3) -> str:
    """A figure; records have null for what is no number."""
    return "" if value is None else digits(value, places)
