"""Linux made to look like Windows or macOS to the package, as far as that can be done.

    python -m tests.support.pretended win32 -m pytest tests/test_ledger.py

runs a program so, and whatever Python it starts. What is pretended, and only to modules of the
package and of the tests:

- ``sys.platform`` and ``os.name``; the modules, and the names in ``os``, ``signal`` and ``socket``,
  that the other system lacks are not there; on Windows ``msvcrt`` is.
- On Windows, and there for every caller: a file that any of these processes has open cannot be removed or
  renamed, nor can the directories that it is in, nor one that is read-only be removed; `os.rename` does
  not replace a file; a name cannot have ``:`` and the like in it. Only below the directory for
  temporary files, so that what the tests and the interpreter do elsewhere is left alone.
- On Windows a directory cannot be opened, and what is opened for reading alone cannot be synced.
- On macOS a process may have 256 open files, and there is no ``/proc``.
- On both, ``multiprocessing`` starts processes anew.

Paths, encodings and the network stay those of Linux.
"""

from __future__ import annotations

import builtins
import importlib
import multiprocessing
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["SYSTEMS", "environment", "pretend"]

ROOT = Path(__file__).parents[2]
SYSTEMS = ("win32", "darwin")

_OURS = re.compile(r"finetune_client(\.|$)|tests(\.|$)|test_|conftest$|__(mp_)?main__$")
"""The modules to which another system is shown."""

_MODULES_OF_POSIX = frozenset(
    {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
)

_OS_OF_WINDOWS = """
    DirEntry F_OK O_APPEND O_CREAT O_EXCL O_RDONLY O_RDWR O_TRUNC O_WRONLY P_DETACH P_NOWAIT P_NOWAITO
    P_OVERLAY P_WAIT PathLike R_OK SEEK_CUR SEEK_END SEEK_SET TMP_MAX W_OK X_OK abc abort access
    add_dll_directory altsep chdir chmod close closerange cpu_count curdir defpath device_encoding
    devnull dup dup2 environ error execl execle execlp execlpe execv execve execvp execvpe extsep fdopen
    fsdecode fsencode fspath fstat fsync ftruncate get_exec_path get_inheritable get_terminal_size
    getcwd getcwdb getenv getlogin getpid getppid isatty kill linesep link listdir lseek lstat makedirs
    mkdir name open pardir path pathsep pipe popen putenv read readlink remove removedirs rename renames
    replace rmdir scandir sep set_inheritable spawnl spawnle spawnv spawnve st stat stat_result
    statvfs_result strerror supports_bytes_environ supports_dir_fd supports_effective_ids supports_fd
    supports_follow_symlinks symlink sys system terminal_size times times_result truncate umask
    uname_result unlink unsetenv urandom utime waitpid waitstatus_to_exitcode walk write
"""
_SIGNAL_OF_WINDOWS = """
    Handlers NSIG SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM SIG_DFL SIG_IGN Signals
    default_int_handler getsignal raise_signal set_wakeup_fd signal strsignal valid_signals
"""
_ONLY_LINUX = re.compile(
    r"sched_(get|set)affinity$|memfd_create$|eventfd|getrandom$|GRND_|pidfd_|copy_file_range$|splice$"
    r"|posix_f|fdatasync$|O_(DIRECT|TMPFILE|PATH|NOATIME|LARGEFILE)$|(get|set|list|remove)xattr$|pipe2$"
    r"|SIG(PWR|STKFLT|POLL|RTMIN|RTMAX|CLD)$|sig(timedwait|waitinfo)$|SOCK_(CLOEXEC|NONBLOCK)$"
    r"|TCP_(KEEPIDLE|USER_TIMEOUT|CORK|QUICKACK|DEFER_ACCEPT|SYNCNT)$|epoll|EPOLL"
)
_NOT_IN_SOCKET_OF_WINDOWS = re.compile(
    r"AF_(UNIX|NETLINK|PACKET)$|SO_REUSEPORT$|socketpair_|TCP_(USER_TIMEOUT|CORK|QUICKACK)$"
    r"|SOCK_(CLOEXEC|NONBLOCK)$|MSG_(NOSIGNAL|DONTWAIT)$|(send|recv)_fds$|sethostname$"
)
_FORBIDDEN = re.compile(
    r'[<>:"|?*\x00-\x1f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE
)
"""What a file on Windows cannot be called."""


_LIVE = frozenset({"argv", "stderr", "stdin", "stdout"})
"""What others set in `sys`, so that it is looked up at each use."""


class _Pretended(ModuleType):
    """A module without some of its names, and with others in their place.

    What a test patches in it is patched in the real one too, but for what stands in its place.
    """

    def __init__(
        self, real: ModuleType, has: Callable[[str], bool], instead: dict[str, Any]
    ) -> None:
        super().__init__(real.__name__)
        names = (name for name in vars(real) if name not in _LIVE and has(name))
        self.__dict__.update({name: getattr(real, name) for name in names}, **instead)
        self.__dict__.update(_real=real, _instead=instead.keys(), _before={})

    def __getattr__(self, name: str) -> Any:
        if name in _LIVE and hasattr(self._real, name):
            return getattr(self._real, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _LIVE:
            self._before.setdefault(name, getattr(self._real, name))
        else:
            self.__dict__[name] = value
        if name not in self._instead:
            setattr(self._real, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self._before:  # monkeypatch, which did not see the name in our `__dict__`
            setattr(self._real, name, self._before.pop(name))
            return
        del self.__dict__[name]
        if name not in self._instead:
            delattr(self._real, name)


def environment(system: str) -> dict[str, str]:
    """Return the environment in which a Python, and each that it starts, pretends."""
    paths = [str(Path(__file__).with_name("pretended_site")), str(ROOT)]
    given = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*paths, *([given] if given else [])]),
        "PRETENDED_SYSTEM": system,
    }


def pretend(system: str) -> None:
    """Show another system to modules that are imported from now on."""
    if system not in SYSTEMS:
        raise ValueError(f"{system!r} is not one of {SYSTEMS}")
    modules = _windows() if system == "win32" else _macos()
    missing = _MODULES_OF_POSIX if system == "win32" else frozenset()
    real_import = builtins.__import__

    def imported(
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        asking = (globals or {}).get("__name__") or ""
        if level == 0 and _OURS.match(asking):
            if name in missing:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            if name in modules:
                return modules[name]
        return real_import(name, globals, locals, fromlist or (), level)

    builtins.__import__ = imported
    multiprocessing.set_start_method("spawn", force=True)
    if system == "win32":
        _guard_open_files()
    else:
        _limit_open_files()


def _windows() -> dict[str, ModuleType]:
    import fcntl
    import signal
    import socket

    real_fsync, real_open = os.fsync, os.open

    def open_(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if not flags & os.O_EXCL and Path(os.fsdecode(path)).is_dir():
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real_open(path, flags, *rest, **options)

    def fsync(handle: Any) -> None:
        number = handle if isinstance(handle, int) else handle.fileno()
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(9, "Bad file descriptor")
        real_fsync(number)

    def locking(handle: int, mode: int, count: int) -> None:
        if (mode, count) != (2, 1):
            raise ValueError("only LK_NBLCK of one byte is pretended")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PermissionError(13, "Permission denied") from None

    msvcrt = ModuleType("msvcrt")
    msvcrt.__dict__.update(locking=locking, LK_NBLCK=2)
    os_ = _Pretended(
        os,
        frozenset(_OS_OF_WINDOWS.split()).__contains__,
        {
            "name": "nt",
            "open": open_,
            "fsync": fsync,
            "O_BINARY": 0,
            "supports_dir_fd": set[Any](),
            "supports_bytes_environ": False,
        },
    )
    return {
        "os": os_,
        "sys": _Pretended(sys, lambda _: True, {"platform": "win32"}),
        "signal": _Pretended(
            signal, frozenset(_SIGNAL_OF_WINDOWS.split()).__contains__, {"SIGBREAK": 21}
        ),
        "socket": _Pretended(
            socket,
            lambda name: not _NOT_IN_SOCKET_OF_WINDOWS.match(name),
            {"SO_EXCLUSIVEADDRUSE": socket.SO_REUSEADDR},  # the nearest that Linux has
        ),
        "msvcrt": msvcrt,
    }


def _macos() -> dict[str, ModuleType]:
    names = ("os", "signal", "socket", "select")
    return {
        "sys": _Pretended(sys, lambda _: True, {"platform": "darwin"}),
        **{
            name: _Pretended(
                importlib.import_module(name), lambda one: not _ONLY_LINUX.match(one), {}
            )
            for name in names
        },
    }


def _limit_open_files() -> None:
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))

    def without_proc(event: str, arguments: tuple[Any, ...]) -> None:
        path = arguments[0] if event == "open" else None
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith("/proc/"):
            raise FileNotFoundError(2, "No such file or directory", os.fspath(path))

    sys.addaudithook(without_proc)


def _guard_open_files() -> None:
    """Refuse what Windows refuses of a file that is open, and names that it cannot have."""
    below = os.path.realpath(tempfile.gettempdir()) + os.sep

    def absolute(path: Any, folder: Any = -1) -> str | None:
        """Return the path if it is below the directory for temporary files."""
        if isinstance(path, int):
            return None
        text = os.fsdecode(path)
        if isinstance(folder, int) and folder != -1:
            text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
        parent, name = os.path.split(os.path.abspath(text))
        text = os.path.join(os.path.realpath(parent), name)
        return text if text.startswith(below) else None

    def refuse_open(path: str) -> None:
        for held in _open_files():
            if held == path or held.startswith(f"{path}{os.sep}"):
                raise PermissionError(
                    13, "The process cannot access the file because it is being used", path
                )

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and arguments[1] != "r":
            path = absolute(arguments[0])
            if path and _FORBIDDEN.search(os.path.basename(path)):
                raise OSError(22, "Invalid argument", path)
        elif event == "os.mkdir":
            path = absolute(arguments[0], arguments[2])
            if path and _FORBIDDEN.search(os.path.basename(path)):
                raise OSError(22, "Invalid argument", path)
        elif event == "os.remove":
            path = absolute(*arguments)
            if path and os.path.lexists(path):
                refuse_open(path)
                if not os.path.islink(path) and not os.stat(path).st_mode & 0o200:
                    raise PermissionError(13, "Permission denied", path)
        elif event == "os.rename":
            for path in (absolute(arguments[0], arguments[2]), absolute(*arguments[1::2])):
                if path and os.path.lexists(path):
                    refuse_open(path)

    sys.addaudithook(hook)
    real_rename = os.rename

    def rename(source: Any, target: Any, **options: Any) -> None:
        if absolute(target) and os.path.lexists(target):
            raise FileExistsError(17, "File exists", os.fspath(target))
        real_rename(source, target, **options)

    os.rename = rename  # type: ignore[assignment]  # with the same arguments
    if accessor := getattr(pathlib, "_NormalAccessor", None):  # Python 3.10 keeps what it calls
        accessor.rename = staticmethod(rename)


def _open_files() -> Iterator[str]:
    """Yield the files that the processes of this session have open."""
    session = os.getsid(0)
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.getsid(int(entry)) != session:
                continue
            folder = f"/proc/{entry}/fd"
            for number in os.listdir(folder):
                held = os.readlink(f"{folder}/{number}")
                if not os.path.isdir(held):
                    yield held
        except OSError:  # it has ended, or is another's
            continue


def main() -> int:
    system, *arguments = sys.argv[1:]
    if system not in SYSTEMS:
        sys.exit(f"usage: python -m tests.support.pretended {'|'.join(SYSTEMS)} ARGUMENT ...")
    # In a session of its own, whose processes are those that may have a file open.
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(system),
        check=False,
        start_new_session=True,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
