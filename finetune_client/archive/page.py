"""The page of an archive: one file that opens without a network, and without scripts."""

from __future__ import annotations

from datetime import datetime, timezone
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from finetune_client import svg
from finetune_client.archive import layout
from finetune_client.display import counted
from finetune_client.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["page"]

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_POINTS: Final = 120
"""Of one curve: three hundred jobs are on one page."""

_NAMES: Final = {
    layout.JOB_FILES[0]: "job file",
    layout.SERVER_JOB: "server's object",
    layout.EVENTS: "events",
    layout.CHECKPOINTS: "checkpoints",
    layout.METRICS: "metrics",
    layout.PERMISSIONS: "permissions",
}
"""A file of a job -> what its link says."""


def page(root: Path, data: Mapping[str, Any]) -> str:
    """Return the page of an archive.

    Args:
        root: Where it is.
        data: Its index.
    """
    title = f"Archive of {_host(data['base_url'])}"
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<header><h1>{escape(title)}</h1>{_summary(data)}</header><main>",
            *_missing(data["missing"]),
            *_jobs(root, data),
            *_files(data["files"]),
            "</main></body></html>\n",
        ]
    )


def _host(url: str) -> str:
    return url.partition("://")[2] or url


def _summary(data: Mapping[str, Any]) -> str:
    counts = data["counts"]
    named = ", ".join(
        counted(counts[f"{noun}s"], noun).replace(" ", "&nbsp;")
        for noun in ("job", "event", "checkpoint", "file")
    )
    moment = data["archived_at"]
    when = "not archived to the end yet"
    if moment is not None:
        when = "archived " + escape(moment.replace("T", " ").replace("+00:00", " UTC"))
    links = "".join(
        f'<li><a href="{name}">{label}</a></li>'
        for name, label in (
            (layout.MODELS, "models"),
            (layout.FILE_LIST, "files as listed"),
            (layout.ANSWERS, "answers of the tuned models"),
            (layout.INDEX, "this index as JSON"),
        )
        if name == layout.INDEX or name in data["files"]
    )
    return (
        f"<p>{named}; {_size(counts['bytes'])}. Provider {escape(data['provider'])}, "
        f"{when}.</p><ul class=links>{links}</ul>"
    )


def _size(count: int) -> str:
    if count < 1000:
        return counted(count, "byte").replace(" ", "&nbsp;")
    size = count / 1000
    for unit in ("kB", "MB"):
        if size < 1000:
            return f"{size:.1f}&nbsp;{unit}"
        size /= 1000
    return f"{size:.1f}&nbsp;GB"


def _missing(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    listed = "".join(
        f"<li><b>{escape(row['what'].replace('_', ' '))}"
        f"{'' if row['id'] is None else ' ' + escape(row['id'])}</b>: {escape(row['message'])}"
        f"{'' if row['is_final'] else ' <i>Archive again to try once more.</i>'}</li>"
        for row in rows
    )
    if listed:
        yield f"<section class=missing><h2>What could not be had</h2><ul>{listed}</ul></section>"


def _jobs(root: Path, data: Mapping[str, Any]) -> Iterator[str]:
    heads = ("job", "status", "model", "created", "curve and files")
    yield '<h2 id="jobs">Jobs</h2>'
    if not data["jobs"]:
        yield "<p>There are none.</p>"
        return
    yield "<div class=wide role=region aria-labelledby=jobs tabindex=0><table class=jobs><thead><tr>"
    yield "".join(f"<th scope=col>{head}</th>" for head in heads) + "</tr></thead><tbody>"
    names = _by_folder(data["files"])
    for row in data["jobs"]:
        yield _job(root / row["folder"], row, names.get(row["folder"], []))
    yield "</tbody></table></div>"


def _by_folder(files: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in files:
        folder, slash, file = name.partition("/")
        if slash:
            found.setdefault(folder, []).append(file)
    return found


def _job(folder: Path, row: Mapping[str, Any], files: list[str]) -> str:
    status = str(row["status"] or "unknown")
    base = escape(str(row["model"] or "-"))
    error = f"<br><small>{escape(row['error'])}</small>" if row["error"] else ""
    tuned = row["fine_tuned_model"]
    model = f"<span class=name>{base}</span>"
    if tuned:
        model += f"<br><span class=name>{escape(str(tuned))}</span>"
    if row["shutdown_date"]:
        model += f"<br><small>shut down on {escape(str(row['shutdown_date']))}</small>"
    links = [
        f'<li><a href="{quote(folder.name)}/{file}">{label}</a>{_count(row, file)}</li>'
        for file, label in _NAMES.items()
        if file in files
    ]
    links += [
        f'<li><a href="{quote(path)}">{escape(name.replace("_", " "))}</a></li>'
        for name, path in _data_files(folder, files)
    ]
    return (
        f'<tr id="{quote(folder.name)}"><th scope=row class=name>{escape(str(row["id"]))}</th>'
        f"<td><span class=status>{escape(status)}</span>{error}</td><td>{model}</td>"
        f"<td>{_day(row['created_at'])}</td>"
        f"<td>{_curve(folder, str(row['id']))}<ul class=links>{''.join(links)}</ul></td></tr>"
    )


def _count(row: Mapping[str, Any], file: str) -> str:
    counts = {layout.EVENTS: row["events"], layout.CHECKPOINTS: row["checkpoints"]}
    return f" ({counts[file]:,})" if file in counts else ""


def _data_files(folder: Path, files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the files that a job was trained with: the key of the request and the path."""
    for name in layout.DATA_FILES:
        if layout.JOB_FILES[0] in files:
            path = layout.read_job(folder).paths.get(name)
            if path is not None and path.is_file():
                yield name, path.resolve().relative_to(folder.parent.resolve()).as_posix()


def _day(created: int | None) -> str:
    if created is None:
        return "-"
    day = datetime.fromtimestamp(created, timezone.utc)
    return f'<time datetime="{day.isoformat()}">{day:%Y-%m-%d}</time>'


def _curve(folder: Path, title: str) -> str:
    path = folder / layout.METRICS
    metrics = Metrics.from_csv(path.read_bytes()) if path.is_file() else Metrics()
    curves = {name: _thinned(metrics.series(name)) for name in metrics.losses}
    if not curves:
        return ""
    label = "reward" if "reward" in next(iter(curves)) else "loss"
    chart = svg.Chart(title=f"{title}, {label}", y_label=label, width=480, height=260)
    return f"<details><summary>{label}</summary>{svg.draw(curves, chart)}</details>"


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    step = -(-len(points) // _POINTS)
    return points if step < 2 else [*points[:-1:step], points[-1]]


def _files(files: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rows = [
        f'<tr><th scope=row class=name><a href="{quote(name)}">{escape(name.partition("/")[2])}</a>'
        f"</th><td>{escape(str(file.get('filename') or '-'))}</td>"
        f"<td>{escape(str(file.get('purpose') or '-'))}</td>"
        f"<td class=number>{_size(file['bytes'])}</td><td class=hash>{file['sha256']}</td></tr>"
        for name, file in files.items()
        if name.startswith(f"{layout.FILES}/")
    ]
    if rows:
        heads = ("file", "name at the server", "purpose", "size", "SHA-256")
        yield '<h2 id="files">Files</h2>'
        yield "<div class=wide role=region aria-labelledby=files tabindex=0><table><thead><tr>"
        yield "".join(f"<th scope=col>{head}</th>" for head in heads) + "</tr></thead><tbody>"
        yield from rows
        yield "</tbody></table></div>"


_STYLE: Final = (
    ":root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 20%,transparent)}"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border-bottom:1px solid var(--line);padding:.5rem .75rem .5rem 0;text-align:left;"
    "vertical-align:top}"
    "tbody th{font-weight:normal}"
    ".jobs tbody th{min-width:7.5rem}small{overflow-wrap:anywhere}"
    ".wide{overflow-x:auto}.wide table{min-width:50rem}"
    ".name,.hash{font-family:ui-monospace,monospace;font-size:.85em;overflow-wrap:anywhere}"
    ".hash{font-size:.7em}"
    ".number{text-align:right;white-space:nowrap}"
    ".status{white-space:nowrap}"
    "time{white-space:nowrap}"
    ".links{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.1rem .9rem}"
    "details{margin-bottom:.3rem}summary{cursor:pointer}"
    "svg{max-width:100%;height:auto}"
    ".missing{border:1px solid var(--line);border-left:4px solid #c2410c;padding:0 1rem;"
    "margin-top:1.25rem}"
    ".missing li{overflow-wrap:anywhere}"
)
