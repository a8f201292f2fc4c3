"""Devices whose power or file system fails in the midst of an apply; needs no pytest and no Keras.

`python interrupted.py HOW DEVICE ARCHIVE SCRATCH IMAGE.npy` copies the device for each step that
an apply takes on the file system, and ends there: `killed` by SIGKILL, `failed` with a full disk;
with `anywhere` it is killed at random moments.
It prints, as JSON, for each copy: the step, the exit code and what was said, what the device
answers then, the files that are there, and whether the update is taken when it is applied again.
"""

from __future__ import annotations

import errno
import importlib.util
import itertools
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
from ai_edge_litert import interpreter  # noqa: F401 is there in each process, so that none waits

CLIENT = Path(__file__).parents[2] / "keras_compat" / "updates" / "device_client.py"
STEPS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.fsync", "subprocess.Popen")
MOMENTS = 60


def load():
    """Returns the client as a module of its own."""
    spec = importlib.util.spec_from_file_location("device_client", CLIENT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


client = load()


def apart(work) -> tuple[int, str]:
    """Does work in a process of its own; returns its exit code and what it wrote."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 2)
        try:
            os._exit(work() or 0)
        finally:
            os._exit(70)  # an error that the client did not tell in a line
    os.close(writer)
    with open(reader, encoding="utf-8") as told:
        text = told.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


def end_at(number: int, how: str, folder: Path) -> None:
    """Makes this process end, or fail, before its step of that number."""
    sync, left = os.fsync, itertools.count(1)

    def audited_sync(file):
        sys.audit("os.fsync", str(folder))
        sync(file)

    def watch(event, arguments):
        if event not in STEPS or (
            event != "subprocess.Popen" and str(folder) not in str(arguments)
        ):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return
        if next(left) == number:
            os.write(2, f"{event}\n".encode())
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    os.fsync = audited_sync
    sys.addaudithook(watch)


def answer(folder: Path, image: str) -> str:
    """Returns what the device says of the image."""

    def classify():
        name, _ = client.Classifier(folder).classify(np.load(image))
        os.write(2, name.encode())

    code, text = apart(classify)
    return text.split("\n")[-1] if code == 0 else f"failed: {text}"


def found(folder: Path, archive: str, image: str, code: int, said: str) -> dict:
    """What is there after an apply that ended early."""
    record = {"code": code, "said": said, "answer": answer(folder, image)}
    number = client.status(folder)[1]["number"]
    again, said = apart(lambda: client.main(["apply", str(folder), archive]))
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    return {
        **record,
        "number": number,
        "again": again,
        "after": answer(folder, image),
        "files": files,
    }


def at_each_step(how: str, device: str, archive: str, scratch: str, image: str) -> list[dict]:
    """Ends at each step in turn, until there is none of that number."""
    records = []
    for number in itertools.count(1):
        folder = Path(scratch, str(number))
        shutil.copytree(device, folder)

        def work(number=number, folder=folder):
            end_at(number, how, folder)
            return client.main(["apply", str(folder), archive])

        code, said = apart(work)
        if code == 0 and not said:
            break
        records.append(found(folder, archive, image, code, said))
    return records


def anywhere(device: str, archive: str, scratch: str, image: str) -> list[dict]:
    """Kills at random moments, also within a write."""
    chance, records = random.Random(0), []
    start = time.perf_counter()
    shutil.copytree(device, Path(scratch, "whole"))
    apart(lambda: client.main(["apply", str(Path(scratch, "whole")), archive]))
    whole = time.perf_counter() - start
    for number in range(MOMENTS):
        folder = Path(scratch, str(number))
        shutil.copytree(device, folder)
        child = os.fork()
        if child == 0:
            os._exit(client.main(["apply", str(folder), archive]))
        time.sleep(chance.uniform(0, 1.2 * whole))
        os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        records.append(found(folder, archive, image, code, ""))
    return records


def main(how: str, *places: str) -> None:
    records = anywhere(*places) if how == "anywhere" else at_each_step(how, *places)
    print("\n" + json.dumps(records))


if __name__ == "__main__":
    main(*sys.argv[1:])
