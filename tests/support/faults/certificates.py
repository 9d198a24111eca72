"""Certificates made on the spot: a good one and the ways one can be bad."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Certificates"]


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Server contexts, and the file of the authority that a client is to trust."""

    authority: str
    other_authority: str
    good: ssl.SSLContext
    unknown: ssl.SSLContext
    self_signed: ssl.SSLContext
    wrong_name: ssl.SSLContext
    expired: ssl.SSLContext

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        known, unknown = trustme.CA(), trustme.CA()
        past = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
        known.cert_pem.write_to_path(str(folder / "known.pem"))
        unknown.cert_pem.write_to_path(str(folder / "unknown.pem"))
        return cls(
            authority=str(folder / "known.pem"),
            other_authority=str(folder / "unknown.pem"),
            good=_context(known.issue_cert("127.0.0.1")),
            unknown=_context(unknown.issue_cert("127.0.0.1")),
            self_signed=_self_signed(folder),
            wrong_name=_context(known.issue_cert("other.invalid")),
            expired=_context(known.issue_cert("127.0.0.1", not_after=past)),
        )


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _self_signed(folder: Path) -> ssl.SSLContext:
    """An authority's own certificate, used by a server."""
    authority = trustme.CA()
    path = folder / "self.pem"
    path.write_bytes(authority.private_key_pem.bytes() + authority.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(path))
    return context
