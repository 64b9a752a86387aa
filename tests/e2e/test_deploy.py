"""What deploy/ hands to people: units that systemd understands, manifests that ask for no more than is said."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from collector_process import PROGRAM

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


def collector_commands(folder):
    """What the image and the unit start, and their variables; the unit's settings are a file of `folder`."""
    image = (DEPLOY / "images/collector.Containerfile").read_text()
    unit = (DEPLOY / "systemd/heapfleet-collector.service").read_text()
    started = re.search(r"^ExecStart=(.*)$", unit, re.M)[1]
    started = started.replace("/etc/heapfleet/collector.conf", str(folder / "collector.conf"))
    return {"image": (json.loads(re.search(r"^ENTRYPOINT (.*)$", image, re.M)[1])[1:],
                      dict(re.findall(r"^ENV (\w+)=(.*)$", image, re.M))),
            "unit": (started.split()[1:], dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.M)))}


@pytest.mark.parametrize("way", ["image", "unit"])
@pytest.mark.parametrize("variable", ["HEAPFLEET_DSN", "DATABASE_URL", "PGHOST", None])
def test_another_database_can_be_named(way, variable, tmp_path):
    """None: in the unit's file, and for the image nowhere."""
    dsn = "dsn = host=db" if variable is None else ""
    (tmp_path / "collector.conf").write_text(dsn + "\n")
    words, environment = collector_commands(tmp_path)[way]
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith(("PG", "HEAPFLEET_", "DATABASE_URL"))}
    if variable:
        environment[variable] = "host=db"
    done = subprocess.run([PROGRAM, *words, "--insecure", "--print-config"], capture_output=True,
                          text=True, env={**clean, **environment})
    assert done.returncode == 0, done.stderr
    is_private = way == "image" and variable is None
    assert ("data-dir = /var/lib/heapfleet " in done.stdout) == is_private
    assert ("# dsn is not set\n" in done.stdout) == is_private
