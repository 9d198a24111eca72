"""How much memory training will take, from the sizes of the model and of its largest pass.

An estimate, made before the weights are loaded; `docs/decisions/own-models.md` compares it with what
was measured. Nothing here imports torch.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "Memory",
    "Pass",
    "Shape",
    "TrainingPlan",
    "estimate",
    "free_memory",
    "notice_of",
    "process_memory",
]

CLEARLY = 1.25
"""How many times what is free must be needed to warn; the estimate is not more exact than that."""

_FLOAT = 4
_ADAM = 2 * _FLOAT
_SAVED = {(True, 4): 4.75, (False, 4): 4.35, (True, 2): 3.2, (False, 2): 2.95}
"""Bytes that are kept for the gradient for each number that goes into or comes out of a matrix, by
whether all weights are trained, and by the bytes of a number in a product. Measured by torch's hooks
on saved tensors, in the layers of SmolLM2; they hold what is not a matrix (norms, rotations) too."""
_TILE_TOKENS, _TILE_WORDS = 4096, 32_768
"""How much of the logits TRL computes at once."""
_TILES = 4
"""How many times that is taken, for logits, probabilities and gradients; fitted to runs of dpo."""
_SCATTERED = 2
"""How many times what is kept for a pass a process takes for it on a CPU: the C library cuts what is
freed into pieces, of which the next pass cannot use all. A GPU's memory is managed by torch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The sizes of a model.

    Attributes:
        weights: How many weights it has.
        layers: How many layers.
        hidden_size: How many numbers pass from a layer to the next for each token.
        vocabulary: How many tokens it knows.
        features: How many numbers go into and come out of all its matrices for each token, those
            of the vocabulary left out; times the rank, the weights of an adapter on all of them.
        cache: How many numbers of each token are kept while an answer is sampled.
    """

    weights: int
    layers: int
    hidden_size: int
    vocabulary: int
    features: int
    cache: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """What a process takes at once, at most.

    Attributes:
        rows: How many sequences.
        length: The tokens of the longest; the others are filled up to it.
        predicted: For how many tokens logits are computed.
        scored: For how many of them there is a loss.
        is_tiled: Whether logits are computed a part at a time, as TRL does.
    """

    rows: int
    length: int
    predicted: int
    scored: int
    is_tiled: bool = False

    @property
    def tokens(self) -> int:
        """How many tokens, padding included."""
        return self.rows * self.length


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingPlan:
    """How a model is trained.

    Attributes:
        rank: The rank of the adapter; `None` if all weights are trained.
        itemsize: The bytes of a number in a product: 4 for float32, 2 for bfloat16.
        checkpointing: Whether activations are computed twice.
        largest: The largest pass that is trained on.
        measured: The largest pass that is measured without a gradient; `None` without one.
        references: Of how many copies of the model the answers are compared, such as in ``dpo`` of
            all weights.
        sampled: The tokens of all answers, prompts included, that a process samples at once.
        is_accumulated: Whether a step has several passes, whose gradients are added up.
        on_gpu: Whether it is trained on a GPU.
        processes: How many processes train together.
        shards: Among how many of them weights, gradients and averages are divided.
    """

    rank: int | None
    itemsize: int
    checkpointing: bool
    largest: Pass
    measured: Pass | None = None
    references: int = 0
    sampled: int = 0
    is_accumulated: bool = False
    on_gpu: bool = False
    processes: int = 1
    shards: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """The memory of a process in bytes, by what it is for.

    Attributes:
        libraries: What the process takes before it loads the model; 0 on a GPU.
        weights: The model, its adapter and copies of either.
        gradients: The gradients of what is trained; where a step is one pass, they take the place of
            activations that are not needed any more, and this is what has no place there.
        optimizer: The optimizer's averages.
        activations: What is kept of each layer until its gradient is computed.
        logits: The scores of all tokens, and what is computed of them.
    """

    libraries: int = 0
    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.to_dict().values())

    def to_dict(self) -> dict[str, int]:
        """Return the parts by their names."""
        parts: dict[str, int] = asdict(self)
        return parts


def estimate(shape: Shape, training: TrainingPlan, *, libraries: int = 0) -> Memory:
    """Return about how much memory each process takes at its peak."""
    full, itemsize = training.rank is None, training.itemsize
    trained = shape.weights if training.rank is None else training.rank * shape.features
    if full:
        weights = shape.weights * (_FLOAT * (1 + training.references))
        # What is multiplied in bfloat16 is converted once in each pass.
        weights += shape.weights * itemsize if itemsize < _FLOAT else 0
    else:
        weights = shape.weights * itemsize + trained * _FLOAT
    saved = _SAVED[full, itemsize]
    passed = _FLOAT if full else itemsize  # from layer to layer
    layer = shape.features / shape.layers * saved
    largest = training.largest
    # torch converts the mask of padded rows for each layer.
    masks = largest.length * itemsize * shape.layers if largest.rows > 1 else 0
    kept = shape.features * saved + masks
    if training.checkpointing:
        kept = shape.hidden_size * passed * shape.layers + layer
    at_once = [(largest.tokens * kept, _logits(shape, largest, itemsize))]
    if (measured := training.measured) is not None:
        at_once.append((measured.tokens * layer, _logits(shape, measured, itemsize)))
    at_once.append((training.sampled * shape.cache * itemsize, 0))
    scattered = 1 if training.on_gpu else _SCATTERED
    activations, logits = (round(scattered * size) for size in max(at_once, key=sum))
    gradients = own = trained * _FLOAT // training.shards
    if not training.is_accumulated:
        gradients = max(0, own - activations - logits)
    if training.processes > 1 and training.shards == 1:
        gradients += own  # torch adds those of all processes up in buckets of its own
    return Memory(
        libraries=libraries,
        weights=weights // training.shards,
        gradients=gradients,
        optimizer=trained * _ADAM // training.shards,
        activations=activations,
        logits=logits,
    )


def _logits(shape: Shape, one: Pass, itemsize: int) -> int:
    """Return the bytes of a pass's logits, and of what is computed of them in float32."""
    if one.is_tiled:
        tile = min(one.predicted, _TILE_TOKENS) * min(shape.vocabulary, _TILE_WORDS)
        return _TILES * _FLOAT * tile
    copies = 3 if itemsize == _FLOAT else 4
    return shape.vocabulary * (one.predicted * itemsize + one.scored * copies * _FLOAT)


def process_memory() -> int:
    """Return the bytes that this process has now."""
    import psutil  # it comes with accelerate

    return int(psutil.Process().memory_info().rss)


def free_memory(
    cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> int:
    """Return the bytes that are free on this machine, or in the container if that is less.

    Args:
        cgroups: Where the kernel shows the limits of containers.
        own: The file with the cgroups of this process.
    """
    import psutil

    free = [int(psutil.virtual_memory().available)]
    with suppress(OSError):
        for line in own.read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in {"", "memory"}:
                free += _cgroup_room(cgroups / controllers, path, is_first=controllers == "memory")
    return max(0, min(free))


def _cgroup_room(root: Path, path: str, *, is_first: bool) -> list[int]:
    """Return what is left below each limit from a cgroup up to the root, of either version."""
    limit, usage = "memory.max", "memory.current"
    if is_first:
        limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
    here = root / path.lstrip("/")
    rooms = []
    for folder in (here, *here.parents):
        # In a container the path is often that outside, which is not there.
        with suppress(OSError, ValueError):
            most, used = (int((folder / name).read_text()) for name in (limit, usage))
            rooms.append(most - used + _file_pages(folder))
        if folder == root:
            break
    return rooms


def _file_pages(folder: Path) -> int:
    """Return the bytes of files that the kernel keeps in memory, and gives up when it is short."""
    for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(" ")
        if name in {"inactive_file", "total_inactive_file"}:
            return int(value)
    return 0


def notice_of(
    memory: Memory, free: int, training: TrainingPlan, *, processes: int
) -> dict[str, Any]:
    """Return what a user is told of an estimate: level, message and data.

    Args:
        memory: What each process needs.
        free: What is free for all of them: of the machine, or of each process's GPU.
        training: How the model is trained, for what else can be done.
        processes: How many processes share what is free.
    """
    needed = memory.total * processes
    kind = "GPU memory" if training.on_gpu else "memory"
    shared = f" for {processes} processes" if processes > 1 else ""
    message = f"Training needs about {_gigabytes(needed)} of {kind}{shared}"
    data = {"needed_bytes": needed, "free_bytes": free, "parts": memory.to_dict()}
    if needed <= CLEARLY * free:
        message += f"; {_gigabytes(free)} are free."
        return {"level": "info", "message": message, "data": data}
    largest = sorted(memory.to_dict().items(), key=lambda part: -part[1])[:2]
    parts = " and ".join(
        f"{_gigabytes(size * processes)} for {name}"
        for name, size in largest
        if size > memory.total / 10
    )
    message += (
        f", of which {parts}, but only {_gigabytes(free)} are free: it may run out of memory. "
        f"This is an estimate. It needs less with {_remedies(memory, training)}."
    )
    return {"level": "warn", "message": message, "data": data}


def _remedies(memory: Memory, training: TrainingPlan) -> str:
    remedies: list[str] = []
    if training.rank is None:
        remedies.append("an adapter instead of all weights")
    if memory.activations + memory.logits > memory.total / 4:
        remedies.append("a smaller max_length or fewer tokens_per_pass")
        if not training.checkpointing:
            remedies.append("activation_checkpointing")
    if training.itemsize == _FLOAT and training.rank is not None:
        remedies.append("the dtype bfloat16")
    return ", ".join([*remedies, "or a smaller model"]) if remedies else "a smaller model"


def _gigabytes(size: int) -> str:
    """Return a size in words: two figures, as it is an estimate."""
    amount = size / 1e9
    return f"{amount:.1f} GB" if amount < 9.95 else f"{amount:.0f} GB"
