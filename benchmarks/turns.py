"""Programs in processes of their own that are timed in turn.

A busy machine then disturbs all alike, and none has what another has loaded. The side that is
timed needs nothing but Python, so that it can be another environment's interpreter.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

from keras_compat.machine import peak_memory_bytes

WARM_UP = 3
Key = TypeVar("Key")
ROOT = Path(__file__).parents[1]


def serve(
    describe: Callable[[], Mapping[str, Any]], work: Callable[[int], Mapping[str, Any]]
) -> None:
    """Does what the other side asks for, until it closes the pipe.

    Args:
        describe: returns what the program is, to be checked before it is timed.
        work: does so many units and returns figures; `wall_s` and `cpu_s` (of all threads) for
            a unit, and `peak_memory_mib`, are added.
    """
    # What libraries print goes where it does not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        amount = int(line)
        wall, cpu = time.perf_counter(), time.process_time()
        found = dict(work(amount) if amount else describe())
        found["wall_s"] = (time.perf_counter() - wall) / max(amount, 1)
        found["cpu_s"] = (time.process_time() - cpu) / max(amount, 1)
        found["peak_memory_mib"] = peak_memory_bytes() / 2**20
        print(json.dumps(found), file=answers, flush=True)


class Program:
    """The other side: a program that was started and waits for its turn.

    Args:
        name: Name in messages.
        command: Command that starts it.
        environment: variables on top of one's own.

    Raises:
        RuntimeError: If it failed, from `ask`; the message has the end of its output.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]):
        self.name = name
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, amount: int) -> dict[str, Any]:
        """Returns its answer: its description for 0, else what came of so much work."""
        with suppress(BrokenPipeError):  # it has ended: what it said is below
            self._process.stdin.write(f"{amount}\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            said = self._process.communicate()[1]
            raise RuntimeError(f"{self.name} ended: {said[-2000:]}")
        return json.loads(answer)


def take_turns(
    programs: Mapping[Key, Callable[[], Program]],
    amount: int,
    repeats: int,
    check: Callable[[dict[Key, dict[str, Any]]], None] = lambda found: None,
) -> dict[Key, dict[str, Any]]:
    """Starts programs, lets each warm up, and times them in turn.

    Args:
        programs: functions that start them, by name.
        amount: Amount of work in a turn.
        repeats: turns of each.
        check: is called with descriptions and answers before anything is timed.

    Returns:
        By name: its description, `warming_up` (its answers to one unit of work at a time), and the
        median over its turns of every figure that it tells.
    """
    found: dict[Key, dict[str, Any]] = {}
    answers: dict[Key, list[dict[str, float]]] = {name: [] for name in programs}
    with ExitStack() as stack:
        started = {}
        for name, start in programs.items():
            print(f"starting {name}", file=sys.stderr, flush=True)
            started[name] = stack.enter_context(start())
            found[name] = started[name].ask(0)
            found[name]["warming_up"] = [started[name].ask(1) for _ in range(WARM_UP)]
        check(found)
        for _ in range(repeats):
            for name, program in started.items():
                answers[name].append(program.ask(amount))
    for name, turns in answers.items():
        for key in turns[0]:
            found[name][key] = statistics.median(turn[key] for turn in turns)
    return found
