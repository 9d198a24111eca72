"""The files of the server's page, which a browser may load without a key.

They are the same for everybody and show nothing of what the server holds: that, the page asks the
API for, with the user's key.
"""

from __future__ import annotations

from pathlib import Path

import flask

__all__ = ["PAGE_FILES", "page_file"]

_DIRECTORY = Path(__file__).parents[1] / "page"

PAGE_FILES = {
    "/": ("index.html", "text/html"),
    "/ui/page.js": ("page.js", "text/javascript"),
    "/ui/page.css": ("page.css", "text/css"),
    "/ui/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Path -> the name of the file, and its media type."""

_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    # The latter two refuse every call that would read a text as HTML, such as a file's name.
    "object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",  # asked for again, so that a new release is seen at once
}


def page_file() -> flask.Response:
    """Return the file of the page that the request's path names."""
    name, mimetype = PAGE_FILES[flask.request.path]
    response = flask.send_file(_DIRECTORY / name, mimetype=mimetype)
    response.headers.update(_HEADERS)
    return response
