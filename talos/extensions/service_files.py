"""The service files of an active tree are found and judged without trusting the tree: links are never followed.

Files that may not run are listed too, with the reason. Of several files for one service the first by file name counts,
as in Talos; unlike there, a link in place of a file or of a directory is a fault, wherever it leads.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from talos.extensions.faults import MAX_FAULTS, Fault
from talos.extensions.member_path import shown
from talos.extensions.services import MAX_SERVICE_BYTES, Service, parse_service

DIRECTORY = "usr/local/etc/containers"
SUFFIX = ".yaml"
MAX_FILES = 200  # twice the extensions a node may have; nearly all bring one file or none

_DIRECTORY_ONLY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # opening a fifo must not wait for a writer
_MAKE_IT_A_FILE = "put a regular file there"


class ServiceFile(msgspec.Struct, frozen=True):
    """A service file: the service where the file can be read as one, and why it may not run, if it may not."""

    name: str  # the file's, in the directory
    service: Service | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def path(self) -> str:
        """Where the file lies once the tree is `/`."""
        return f"/{DIRECTORY}/{self.name}" if self.name else f"/{DIRECTORY}"


def read_services(root: Path) -> tuple[ServiceFile, ...]:
    """Return the service files below `root` by name; what is wrong with their directory is an item without a name.

    Blocks. `root` may be a link; nothing in it is taken for one. Raises OSError where the tree cannot be read.
    """
    try:
        with _opened_directory(root) as directory:
            names = sorted(name for name in os.listdir(directory) if name.endswith(SUFFIX))
            usable = [name for name in names if name.isprintable()]
            found = _in_order(_read(directory, name) for name in usable[:MAX_FILES])
    except FileNotFoundError:
        return ()
    except NotADirectoryError:
        problem = "this, or a directory above it, is a link or a file"
        return (ServiceFile("", faults=(_fault("", problem, "make it a directory"),)),)
    faults = [
        _fault("", f"{shown(name)} holds a character that cannot be shown", "rename the file")
        for name in names
        if not name.isprintable()
    ]
    if len(usable) > MAX_FILES:
        problem = f"{len(usable)} service files; {MAX_FILES} are read"
        faults.append(_fault("", problem, "use fewer extensions, or merge their services"))
    return (*((ServiceFile("", faults=tuple(faults[:MAX_FAULTS])),) if faults else ()), *found)


@contextmanager
def _opened_directory(root: Path) -> Iterator[int]:
    """Open the directory of service files, one step after the other, so that no link is followed on the way."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in DIRECTORY.split("/"):
            below = os.open(name, _DIRECTORY_ONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _read(directory: int, name: str) -> ServiceFile:
    try:
        descriptor = os.open(name, _FILE_ONLY, dir_fd=directory)
    except OSError as error:
        problem = "this is a link" if error.errno == errno.ELOOP else f"this cannot be read ({error.strerror})"
        return _refused(name, problem, _MAKE_IT_A_FILE)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return _refused(name, "this is no regular file", _MAKE_IT_A_FILE)
        if status.st_size > MAX_SERVICE_BYTES:
            return _refused(name, f"{status.st_size} bytes long, {MAX_SERVICE_BYTES} are allowed", "shorten it")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            text = file.read(MAX_SERVICE_BYTES)
    finally:
        os.close(descriptor)
    service, faults = parse_service(text, file=f"/{DIRECTORY}/{name}")
    return ServiceFile(name, service, faults)


def _in_order(files: Iterator[ServiceFile]) -> Sequence[ServiceFile]:
    """Refuse every file whose service an earlier one has brought; only a file that may run takes the name."""
    first: dict[str, str] = {}
    judged = []
    for file in files:
        if file.service is not None:
            taken_by = first.setdefault(file.service.name, file.name)
            if taken_by != file.name:
                problem = f"the service {file.service.name} is in {taken_by} already"
                fault = Fault("service-duplicate", file.path, problem, "rename one of the services, or leave one out")
                file = ServiceFile(file.name, file.service, (fault,))
        judged.append(file)
    return judged


def _refused(name: str, problem: str, remedy: str) -> ServiceFile:
    return ServiceFile(name, faults=(_fault(name, problem, remedy),))


def _fault(name: str, problem: str, remedy: str) -> Fault:
    return Fault("service-file", ServiceFile(name).path, problem, remedy)
