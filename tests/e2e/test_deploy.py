"""What deploy/ hands to people: units that systemd understands, manifests that ask for no more than is said."""
import pathlib
import re
import shutil
import subprocess

import pytest

DEPLOY = pathlib.Path(__file__).resolve().parent.parent.parent / "deploy"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="not covered: no systemd-analyze")
@pytest.mark.parametrize("unit", sorted(path.name for path in DEPLOY.glob("systemd/*.service")))
def test_systemd_understands_the_unit(unit, tmp_path):
    text = (DEPLOY / "systemd" / unit).read_text()
    (tmp_path / unit).write_text(text.replace("/usr/local/bin/heapfleet-", "/bin/true --instead-of="))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / unit],
                          capture_output=True, text=True)
    assert unit not in done.stderr, done.stderr


def test_nothing_is_privileged():
    asked = {}
    for path in DEPLOY.glob("kubernetes/*.yaml"):
        text = path.read_text()
        assert "privileged: true" not in text and "allowPrivilegeEscalation: true" not in text
        assert "drop: [ALL]" in text
        asked[path.stem] = re.findall(r"add: \[(.*?)\]", text)
    assert asked == {"sidecar": [], "daemonset": ["SYS_PTRACE, DAC_READ_SEARCH"], "collector": []}
    unit = (DEPLOY / "systemd/heapfleet-agent.service").read_text()
    assert re.findall(r"(?:Ambient|BoundingSet)\w*=(.*)", unit) == ["CAP_SYS_PTRACE CAP_DAC_READ_SEARCH"] * 2
