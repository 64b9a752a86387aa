"""The load of `./dev bench storage`, small: it must go in, be kept up, and be there to ask."""
import json
import os
import pathlib
import struct
import subprocess

import pytest

LOADER = pathlib.Path(os.environ.get("HEAPFLEET_BIN", "build/release/bin")).parent / "tests" / "storage_load"

pytestmark = pytest.mark.skipif(not LOADER.exists(), reason="storage_load needs libsnappy-dev")


def test_a_small_fleet_goes_in_and_can_be_asked(tmp_path):
    tmp_path.chmod(0o711)
    out = subprocess.run([LOADER, "heapfleet", "--dir", tmp_path, "--containers", "3", "--types", "40",
                          "--steps", "400", "--life", "150", "--ask"],
                         capture_output=True, text=True, check=True).stdout
    one = json.loads(out)
    assert one["processes"] == 3 * 3  # 150, 150 and 100 snapshots
    assert one["snapshots"] == 3 * 400
    assert one["relations"]["heap_chunk"] > 0 and one["relations"]["hour_group"] > 0
    assert {"services", "top_growth", "compare"} <= set(one["questions"])


def test_remote_write_is_the_same_fleet_every_time():
    def frames():
        command = [LOADER, "remote-write", "--containers", "2", "--types", "20", "--steps", "3"]
        data = subprocess.run(command, capture_output=True, check=True).stdout
        sizes, at = [], 0
        while at < len(data):
            sizes.append(struct.unpack_from("<I", data, at)[0])
            at += 4 + sizes[-1]
        assert at == len(data)
        return sizes

    first = frames()
    assert len(first) == 2 * 3 and min(first) > 100
    assert first == frames()
