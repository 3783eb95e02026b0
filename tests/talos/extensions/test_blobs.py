"""What the store holds is whole and is what its digest says, whatever happens while it comes."""

import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talos.extensions.blobs import MAX_PARTIAL_SECONDS, BlobCorrupt, BlobMissing, BlobStore, digest_of
from talos.extensions.oci import Descriptor

CONTENT = b"content" * 1000


def promise(content: bytes = CONTENT, algorithm: str = "sha256") -> Descriptor:
    return Descriptor("", digest_of(content, algorithm), len(content))


def partial_files(store: BlobStore) -> list[str]:
    return os.listdir(store.directory / "partial")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_is_found_under_its_digest(store: BlobStore, algorithm: str) -> None:
    store.put(CONTENT, digest_of(CONTENT, algorithm))

    assert promise(algorithm=algorithm) in store
    assert store.read(digest_of(CONTENT, algorithm), max_bytes=10_000) == CONTENT
    assert stat.S_IMODE(store.path(digest_of(CONTENT, algorithm)).stat().st_mode) == 0o600


@settings(max_examples=20)  # each makes a file durable, which is the disk's time
@given(st.lists(st.binary(max_size=50)))
def test_pieces_make_a_blob(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    store = BlobStore(tmp_path_factory.getbasetemp() / "pieces")
    content = b"".join(pieces)

    with store.writer(promise(content)) as writer:
        for piece in pieces:
            writer.write(piece)
        writer.commit()

    assert store.read(digest_of(content), max_bytes=10_000) == content


def test_a_blob_is_not_there_before_it_is_whole(store: BlobStore) -> None:
    with store.writer(promise()) as writer:
        writer.write(CONTENT)
        assert promise() not in store


def test_the_next_writer_goes_on_where_the_last_one_ended(store: BlobStore) -> None:
    with store.writer(promise()) as writer:
        writer.write(CONTENT[:100])

    with store.writer(promise()) as writer:
        assert writer.offset == 100
        writer.write(CONTENT[100:])
        writer.commit()

    assert promise() in store


def test_two_writers_of_one_blob_do_not_meet(store: BlobStore) -> None:
    with store.writer(promise()) as one, store.writer(promise()) as two:
        one.write(CONTENT[:100])
        two.write(CONTENT)
        two.commit()
        one.write(CONTENT[100:])
        one.commit()

    assert store.read(digest_of(CONTENT), max_bytes=10_000) == CONTENT
    assert partial_files(store) == []


@pytest.mark.parametrize("content", [CONTENT[:-1], b"X" + CONTENT[1:]], ids=["short", "changed"])
def test_bytes_that_were_not_promised_are_refused_and_forgotten(store: BlobStore, content: bytes) -> None:
    with store.writer(promise()) as writer:
        writer.write(content)
        with pytest.raises(BlobCorrupt, match="expected"):
            writer.commit()

    assert promise() not in store
    assert partial_files(store) == []


def test_more_bytes_than_promised_are_refused_as_they_come(store: BlobStore) -> None:
    with store.writer(promise()) as writer, pytest.raises(BlobCorrupt, match="got more"):
        writer.write(CONTENT + b"x")

    assert partial_files(store) == []


def test_a_blob_changed_behind_our_back_is_not_handed_out(store: BlobStore) -> None:
    store.put(CONTENT, digest_of(CONTENT))
    store.path(digest_of(CONTENT)).write_bytes(b"X" + CONTENT[1:])

    with pytest.raises(BlobCorrupt):
        store.read(digest_of(CONTENT), max_bytes=10_000)


def test_reading_is_bounded(store: BlobStore) -> None:
    store.put(CONTENT, digest_of(CONTENT))

    with pytest.raises(BlobCorrupt, match="at most 10 bytes"):
        store.read(digest_of(CONTENT), max_bytes=10)


def test_a_missing_blob_is_named(store: BlobStore) -> None:
    with pytest.raises(BlobMissing, match=digest_of(CONTENT)):
        store.open(digest_of(CONTENT))


@pytest.mark.parametrize(
    "digest", ["", "sha256:..", "sha256:" + "A" * 64, "md5:" + "a" * 32, "sha256:../../etc/passwd"]
)
def test_only_a_digest_leads_to_a_path(store: BlobStore, digest: str) -> None:
    with pytest.raises(ValueError, match="is no digest"):
        store.path(digest)


def test_garbage_goes_and_what_is_wanted_or_under_way_stays(store: BlobStore) -> None:
    for content in (b"keep", b"held", b"garbage"):
        store.put(content, digest_of(content))

    with store.holding() as held, store.writer(promise()) as writer:
        held.add(digest_of(b"held"))
        writer.write(CONTENT[:10])
        freed = store.keep_only({digest_of(b"keep")})
        writer.write(CONTENT[10:])
        writer.commit()

    assert freed == len(b"garbage")
    assert [store.path(digest_of(c)).exists() for c in (b"keep", b"held", b"garbage")] == [True, True, False]
    assert store.keep_only(set()) == len(b"keep") + len(b"held") + len(CONTENT)


def test_what_is_held_while_garbage_goes_and_is_still_there_then_stays(store: BlobStore) -> None:
    contents = [b"%d" % number for number in range(300)]
    for content in contents:
        path = store.path(digest_of(content))
        path.write_bytes(content)

    with ThreadPoolExecutor(1) as thread, store.holding() as held:
        sweep = thread.submit(store.keep_only, set())
        found = []
        while not sweep.done():
            for content in contents:
                held.add(digest_of(content))
                if promise(content) in store:
                    found.append(content)
        sweep.result()

    assert [content for content in found if promise(content) not in store] == []


def test_garbage_of_cut_transfers_goes_too(store: BlobStore) -> None:
    with store.writer(promise()) as writer:
        writer.write(CONTENT[:10])

    store.keep_only({digest_of(CONTENT)})
    assert len(partial_files(store)) == 1
    store.keep_only(set())
    assert partial_files(store) == []


def test_what_a_killed_process_had_fetched_is_gone_on_with(tmp_path: Path) -> None:
    program = f"""
import os, pathlib
from talos.extensions.blobs import BlobStore
from talos.extensions.oci import Descriptor
scope = BlobStore(pathlib.Path({str(tmp_path)!r})).writer(Descriptor("", {digest_of(CONTENT)!r}, {len(CONTENT)}))
writer = scope.__enter__()
writer.write({CONTENT[:100]!r})
writer._file.flush()
os._exit(1)
"""
    subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[3])

    store = BlobStore(tmp_path)

    assert promise() not in store
    with store.writer(promise()) as writer:
        assert writer.offset == 100


def test_what_nobody_has_gone_on_with_for_a_day_goes(store: BlobStore) -> None:
    with store.writer(promise()) as writer:
        writer.write(CONTENT[:100])
    (partial,) = (store.directory / "partial").iterdir()

    BlobStore(store.directory)
    assert partial.exists()
    os.utime(partial, (0, time.time() - MAX_PARTIAL_SECONDS - 1))
    BlobStore(store.directory)
    assert not partial.exists()


def test_trimming_removes_what_came_first(store: BlobStore) -> None:
    for second, content in enumerate((b"first", b"second", b"third")):
        store.put(content, digest_of(content))
        os.utime(store.path(digest_of(content)), (second, second))

    assert store.trim(11) == len(b"first")
    assert not store.path(digest_of(b"first")).exists()
    assert store.path(digest_of(b"second")).exists()
    assert store.trim(11) == 0
