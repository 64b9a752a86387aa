#!/usr/bin/env python3
"""Makes tests/images/NAME.heap of each CPython on the command line: record_images.py BUILD NAME=COMMAND ...

    ninja -C build/release record_image
    record_images.py build/release 3.11=/usr/bin/python3.11 "3.13=chroot build/pythons/forky python3.13"
"""
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / "tests/fuzz/image_target.py"


def record(tool, name, command):
    target = subprocess.Popen([*shlex.split(command), "-E", "-s", "-S", "-OO", "-c", TARGET.read_text()],
                              stdout=subprocess.PIPE, cwd=ROOT)
    try:
        addresses = target.stdout.read()
        image = ROOT / "tests/images" / f"{name}.heap"
        image.parent.mkdir(exist_ok=True)
        subprocess.run([tool, str(target.pid), image], input=addresses, check=True)
        print(image.relative_to(ROOT), image.stat().st_size, "bytes")
    finally:
        target.kill()
        target.wait()


def main():
    tool = pathlib.Path(sys.argv[1]) / "tests/record_image"
    for argument in sys.argv[2:]:
        name, command = argument.split("=", 1)
        record(tool, name, command)


if __name__ == "__main__":
    main()
