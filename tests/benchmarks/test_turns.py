"""Programs that take turns at being timed, and that a round is compared with the same round."""

import sys

import pytest

from benchmarks.joint_figures import add_ratios, check_same
from benchmarks.joint_setting import Setting
from benchmarks.turns import Program, take_turns
from keras_compat.reporting import Run

pytestmark = pytest.mark.once

WAITS = """
import time
from benchmarks import turns

done = []

def work(amount):
    print("noise of a library")
    done.append(amount)
    time.sleep({seconds} * amount)
    return {{"calls": len(done)}}

turns.serve(lambda: {{"parameters": 3}}, work)
"""


def waits(seconds):
    command = [sys.executable, "-c", WAITS.format(seconds=seconds)]
    return lambda: Program("waits", command, {})


def test_programs_take_turns_and_tell_the_time_of_one_unit():
    found = take_turns({"fast": waits(0.01), "slow": waits(0.05)}, amount=2, repeats=3)
    assert [found[name]["parameters"] for name in ("fast", "slow")] == [3, 3]
    assert 0.01 <= found["fast"]["wall_s"] < 0.05 <= found["slow"]["wall_s"]
    assert found["slow"]["cpu_s"] < 0.05  # it slept
    assert len(found["fast"]["warming_up"]) == 3
    assert found["fast"]["calls"] == 5  # three to warm up, and the second of three turns


def test_what_a_check_refuses_is_not_timed():
    def refuse(found):
        raise ValueError(f"{sorted(found)} differ after {len(found['one']['warming_up'])}")

    with pytest.raises(ValueError, match=r"\['one'\] differ after 3"):
        take_turns({"one": waits(0)}, amount=1, repeats=1, check=refuse)


def test_a_program_that_fails_says_why():
    command = [sys.executable, "-c", "raise SystemExit('no such module')"]
    with (
        Program("broken", command, {}) as program,
        pytest.raises(RuntimeError, match="broken ended: no such module"),
    ):
        program.ask(0)


def measured(loss=4.0, **changes):
    answers = [{"loss": loss, "wall_s": 1.0}] * 3
    figures = {"parameters": 5, "multiply_adds": 7, "wall_s": 1.0, "warming_up": answers}
    return {**figures, **changes}


OURS, THEIRS = ("trainer", "tensorflow", "float32"), ("pytorch", "eager", "float32")


def test_equal_rounds_may_be_compared():
    check_same({OURS: measured(), THEIRS: measured(loss=4.0001)})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"parameters": 6}, "parameters: 6 of .*pytorch.* and 5 of .*trainer"),
        ({"multiply_adds": 8}, "multiply_adds: 8"),
        ({"loss": 4.1}, "round 0: loss 4.1 of .*pytorch.* and 4.0 of .*trainer"),
    ],
)
def test_different_rounds_may_not_be_compared(changed, message):
    with pytest.raises(ValueError, match=message):
        check_same({OURS: measured(), THEIRS: measured(**changed)})


def test_speed_is_the_time_of_the_fastest_rival_over_ours():
    run = Run("joint_round", {})
    add_ratios(
        run,
        {
            OURS: measured(wall_s=2.0),
            ("trainer", "tensorflow", "bfloat16"): measured(wall_s=1.0),
            ("threads", "tensorflow", "bfloat16"): measured(wall_s=0.5),
            ("bare", "tensorflow", "float32"): measured(wall_s=1.6),
            ("guarded", "tensorflow", "float32"): measured(wall_s=2.4),
            ("ceiling", "tensorflow", "float32"): {
                "product_gflops": 42.0,
                "convolution_16_forward_gflops": 14.0,
                "convolution_16_by_kernel_gflops": 42.0,
            },
            THEIRS: measured(wall_s=5.0),
            ("pytorch", "compile", "float32"): measured(wall_s=3.0),
            ("pytorch", "compile", "bfloat16"): measured(wall_s=4.0),
        },
        Setting(batch_size=10**9),  # 7 multiply-adds of each in 2 s: 21 billion operations a second
    )
    found = {
        (r["metric"], r.get("precision"), r.get("program") or r.get("work")): r["value"]
        for r in run.results
    }
    assert found == {
        ("speed_to_pytorch", "float32", "trainer"): 1.5,
        ("overhead", "float32", "trainer"): 0.25,
        ("overhead", "float32", "guarded"): 0.5,
        ("of_ceiling", "float32", "product"): 0.5,
        ("of_ceiling", "float32", "convolutions"): 1.0,
        ("speed_to_pytorch", "bfloat16", "trainer"): 4.0,
        ("speed_to_pytorch", "bfloat16", "threads"): 8.0,
        ("best_speed_to_pytorch", None, None): 6.0,
    }
