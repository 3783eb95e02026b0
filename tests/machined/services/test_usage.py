"""What the machine does not tell is a clear refusal, and never a broken answer."""

from pathlib import Path

import pytest

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Refusal, messages
from machined.services.usage import UsageService
from talos._pb.machine import machine_pb2

pytestmark = pytest.mark.anyio

NEEDS_PROC = ["CPUInfo", "DiskStats", "LoadAvg", "Memory", "Mounts", "NetworkDeviceStats", "Processes", "SystemStat"]


@pytest.mark.parametrize("method", NEEDS_PROC)
async def test_a_machine_without_proc_says_which_file_is_missing(tmp_path: Path, method: str) -> None:
    service = UsageService(tmp_path).service

    with pytest.raises(Refusal, match=f"^this machine does not tell: {tmp_path}/proc.*: No such file") as refused:
        await service.unary[method](b"", Call())

    assert refused.value.code is Code.FAILED_PRECONDITION


async def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu many\n")

    with pytest.raises(Refusal) as refused:
        await UsageService(tmp_path).service.unary["SystemStat"](b"", Call())

    assert refused.value.code is Code.FAILED_PRECONDITION
    assert f"{tmp_path}/proc/stat is not as Linux writes it: " in refused.value.message


async def test_a_machine_that_tells_of_no_frequencies_has_none(tmp_path: Path) -> None:
    frames = await UsageService(tmp_path).service.unary["CPUFreqStats"](b"", Call())

    (answer,) = map(machine_pb2.CPUFreqStatsResponse.FromString, messages(frames))
    assert [list(message.cpu_freq_stats) for message in answer.messages] == [[]]
