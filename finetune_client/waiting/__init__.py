"""Waiting for jobs and following their events, through outages.

The calls (fetch a job, walk its events) and the clock are passed in.
"""

from __future__ import annotations

from finetune_client.waiting.loops import OnPaused, OnStalled, follow, wait, wait_all
from finetune_client.waiting.outage import Outage, is_passing
from finetune_client.waiting.pace import Pace
from finetune_client.waiting.watcher import FetchJob, WalkEvents, Watcher

__all__ = [
    "FetchJob",
    "OnPaused",
    "OnStalled",
    "Outage",
    "Pace",
    "WalkEvents",
    "Watcher",
    "follow",
    "is_passing",
    "wait",
    "wait_all",
]
