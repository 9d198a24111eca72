"""The content of a message: text, parts and images."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from finetune_client.training_data.problems import kind, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.providers.training_rules import TrainingRules
    from finetune_client.training_data.problems import ProblemCollector

__all__ = ["ContentCheck"]

PARTS: Mapping[str, tuple[str, ...]] = {
    "user": ("text", "image_url"),
    "assistant": ("text", "refusal"),
}
"""The types of parts that the messages of a role take; those of any other take text alone."""

PART_KEYS = ("type", "prompt_cache_breakpoint")
BREAKPOINT = {"mode": "explicit"}
DETAILS = ("auto", "low", "high")
IMAGE_TYPES = ("image/jpeg", "image/jpg", "image/png", "image/webp")
DATA_URI = re.compile(r"data:(?P<type>[^;,]*)(?P<base64>;base64)?,")
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class ContentCheck:
    """Checks contents and counts the images of one example.

    Attributes:
        rules: How much the provider takes.
        no_images_in: Where none may stand, in words, if the format takes none at all.
        images: Images seen since it was last set to 0.
    """

    def __init__(
        self, report_problem: ProblemCollector, rules: TrainingRules, no_images_in: str | None
    ) -> None:
        self._report_problem = report_problem
        self.rules = rules
        self.no_images_in = no_images_in
        self.images = 0

    def check(self, content: object, role: str, path: str) -> None:
        """Check content that is there; `path` is that of the content."""
        if isinstance(content, str):
            self._text(content, role, path)
        elif isinstance(content, list) and role != "function":
            self._parts(content, role, path)
        else:
            expected = "text" if role == "function" else "text or a list of parts"
            self._report_problem("invalid_content", path, found=kind(content), expected=expected)

    def _text(self, text: str, role: str, path: str) -> None:
        if role in {"tool", "function"}:
            return
        if not text:
            self._report_problem("empty_content", path)
        elif text.isspace():
            self._report_problem("blank_content", path)

    def _parts(self, parts: list[Any], role: str, path: str) -> None:
        texts = [part.get("text") for part in parts if isinstance(part, dict)]
        if all(text == "" for text in texts) and len(texts) == len(parts):
            self._report_problem("empty_content", path)
        refused = any(isinstance(part, dict) and part.get("type") == "refusal" for part in parts)
        if refused and len(parts) > 1 and role == "assistant":
            facts = {"found": "a refusal with other parts", "expected": "text or one refusal"}
            self._report_problem("invalid_content", path, **facts)
        for index, part in enumerate(parts):
            self._part(part, role, f"{path}[{index}]")

    def _part(self, part: object, role: str, path: str) -> None:
        if not isinstance(part, dict):
            self._report_problem("invalid_part", path, reason=f"it is {kind(part)}")
            return
        if part.get("prompt_cache_breakpoint", BREAKPOINT) != BREAKPOINT:
            facts = {
                "found": kind(part["prompt_cache_breakpoint"]),
                "expected": json.dumps(BREAKPOINT),
            }
            self._report_problem("invalid_value", f"{path}.prompt_cache_breakpoint", **facts)
        type_ = part.get("type")
        if type_ == "image_url":
            self._image(part, role, path)
            return
        if not isinstance(type_, str):
            self._report_problem("invalid_part", path, reason="it has no type")
            return
        expected = PARTS.get(role, ("text",))
        if type_ not in expected:
            self._report_problem(
                "unknown_part_type",
                f"{path}.type",
                found=quoted(type_),
                role=role,
                expected=" and ".join(expected),
            )
        elif not isinstance(part.get(type_), str):
            self._report_problem("invalid_part", path, reason=f"its {type_} is not text")
        else:
            self._report_problem.unknown_keys(part, (type_, *PART_KEYS), path)

    def _image(self, part: dict[str, Any], role: str, path: str) -> None:
        self.images += 1
        place = self.no_images_in or (None if role == "user" else f"a message of the {role}")
        if place:
            self._report_problem("misplaced_image", path, place=place)
            return
        self._report_problem.unknown_keys(part, ("image_url", *PART_KEYS), path)
        image = part.get("image_url")
        path = f"{path}.image_url"
        if not isinstance(image, dict) or not isinstance(image.get("url"), str):
            reason = "it has no url" if isinstance(image, dict) else f"it is {kind(image)}"
            self._report_problem("invalid_image", path, reason=reason)
            return
        self._report_problem.unknown_keys(image, ("url", "detail"), path)
        if image.get("detail", "auto") not in DETAILS:
            self._report_problem(
                "invalid_image", path, reason="its detail is not auto, low or high"
            )
        self._url(image["url"], f"{path}.url")

    def _url(self, url: str, path: str) -> None:
        if url.startswith(("https://", "http://")):
            return
        uri = DATA_URI.match(url)
        if not uri or not uri["base64"]:
            self._report_problem("invalid_image_url", path, found=quoted(url))
        elif uri["type"].lower() not in IMAGE_TYPES:
            self._report_problem("invalid_image_type", path, found=quoted(uri["type"]))
        elif not BASE64.fullmatch(url, uri.end()) or (len(url) - uri.end()) % 4:
            self._report_problem("invalid_image_data", path)
        elif (size := (len(url) - uri.end()) * 3 // 4) > self.rules.image_bytes:
            self._report_problem("image_too_large", path, found=size, most=self.rules.image_bytes)

    def count(self, path: str) -> None:
        """Say so if the example has too many images."""
        if self.images > self.rules.images:
            self._report_problem("too_many_images", path, found=self.images, most=self.rules.images)
