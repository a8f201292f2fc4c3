"""The round of `benchmarks.joint_setting` as a direct loop in PyTorch.

    python -m benchmarks.joint_pytorch --weights=FILE --mode=eager|compile --layout=first|last

It is a program that `benchmarks.turns` asks; `benchmarks.joint_round` starts it. Its images and
kernels are ours turned by 180 degrees: a convolution of stride 2 that is padded on both sides
alike, as PyTorch pads, then computes what Keras' padding "same" does, for no more work.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import turns
from benchmarks.joint_setting import (
    ANGLES,
    BLOCKS,
    COMMON,
    EPSILON,
    FILTERS,
    LEARNING_RATE,
    Setting,
    add_flags,
    setting,
)


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class Block(nn.Module):
    """Two convolutions with a shortcut without weights (He et al. 2016, option A)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.convolution_1 = convolution(inputs, outputs, stride)
        self.normalization_1 = nn.BatchNorm2d(outputs)
        self.convolution_2 = convolution(outputs, outputs)
        self.normalization_2 = nn.BatchNorm2d(outputs)
        self.stride, self.missing = stride, outputs - inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.normalization_1(self.convolution_1(x)))
        y = self.normalization_2(self.convolution_2(y))
        if self.stride > 1:
            x = x[:, :, 1 :: self.stride, 1 :: self.stride]
        if self.missing:
            x = F.pad(x, (0, 0, 0, 0, self.missing // 2, self.missing - self.missing // 2))
        return F.relu(y + x)


def stage(inputs: int, outputs: int, stride: int) -> list[Block]:
    return [Block(inputs, outputs, stride), *(Block(outputs, outputs) for _ in range(BLOCKS - 1))]


class Extractor(nn.Module):
    """Images in [0, 255] to features after the second stage."""

    def __init__(self):
        super().__init__()
        first, second, _ = FILTERS
        self.convolution = convolution(3, first)
        self.normalization = nn.BatchNorm2d(first)
        self.blocks = nn.Sequential(*stage(first, first, 1), *stage(first, second, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(F.relu(self.normalization(self.convolution(x / 127.5 - 1))))


class Head(nn.Module):
    """Features to logits: the third stage."""

    def __init__(self, classes: int):
        super().__init__()
        _, second, third = FILTERS
        self.blocks = nn.Sequential(*stage(second, third, 2))
        self.logits = nn.Linear(third, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits(self.blocks(x).mean((2, 3)))


class Joint:
    """The networks with their loss, their data and one optimizer.

    Args:
        chosen: the setting.
        weights: the file that `joint_networks.write_weights` made.
        layout: Order of the images' axes in memory.
        compiled: whether `torch.compile` makes the loss and its gradient.
    """

    def __init__(self, chosen: Setting, weights: str, layout: torch.memory_format, compiled: bool):
        self.setting, self.layout = chosen, layout
        self.extractors = [Extractor() for _ in chosen.classes]
        self.heads = [Head(classes) for classes in chosen.classes]
        self.rotation, self.common = Head(ANGLES), Head(COMMON)
        self.parts = [*self.extractors, *self.heads, self.rotation, self.common]
        fill(self.parts, weights)
        for part in self.parts:
            part.to(memory_format=layout)
        parameters = [p for part in self.parts for p in part.parameters()]
        self.optimizer = torch.optim.Adam(parameters, LEARNING_RATE, eps=EPSILON, fused=True)
        self.data = [self._tensors(*chosen.data(i)) for i in range(chosen.networks)]
        self.angles = torch.arange(chosen.batch_size) % ANGLES
        self.loss = torch.compile(self._loss) if compiled else self._loss
        self.rounds = 0

    @staticmethod
    def _tensors(images: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        turned = np.ascontiguousarray(images[:, ::-1, ::-1].transpose(0, 3, 1, 2))
        return torch.from_numpy(turned), torch.from_numpy(labels).long()

    def batch(self, network: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the images and labels of this round."""
        images, labels = self.data[network]
        rows = torch.from_numpy(self.setting.rows(network, self.rounds))
        return images[rows].float().contiguous(memory_format=self.layout), labels[rows]

    def _loss(self, network: int, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        turned = torch.empty_like(images)
        for quarters in range(ANGLES):
            turned[quarters::ANGLES] = torch.rot90(images[quarters::ANGLES], quarters, (2, 3))
        half = self.setting.precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            features = self.extractors[network](images)
            logits = self.heads[network](features)
            common = self.common(features)
            angles = self.rotation(self.extractors[network](turned))
        known = torch.where(labels < COMMON, labels, -100)  # what `cross_entropy` leaves out
        return (
            F.cross_entropy(logits.float(), labels)
            + F.cross_entropy(common.float(), known, reduction="sum") / len(labels)
            + F.cross_entropy(angles.float(), self.angles)
        )

    def round(self) -> float:
        """Takes a step of each network in turn; returns the sum of their losses."""
        total = 0.0
        for network in range(self.setting.networks):
            loss = self.loss(network, *self.batch(network))
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        self.rounds += 1
        return total

    def describe(self) -> dict[str, int]:
        """Returns how many numbers are learnt and the multiply-adds of a round's forward passes."""
        one = torch.zeros(1, 3, self.setting.image_size, self.setting.image_size)
        features = torch.zeros(1, FILTERS[1], *(self.setting.image_size // 2,) * 2)
        calls: list[tuple[nn.Module, torch.Tensor]] = []
        for extractor, head in zip(self.extractors, self.heads, strict=True):
            calls += [(extractor, one)] * 2
            calls += [(part, features) for part in (head, self.common, self.rotation)]
        operations = 0
        with torch.no_grad():
            for part, shown in calls:
                part.eval()  # leaves moving statistics alone
                with FlopCounterMode(display=False) as counter:
                    part(shown)
                operations += counter.get_total_flops()
                part.train()
        parameters = sum(p.numel() for part in self.parts for p in part.parameters())
        return {"parameters": parameters, "multiply_adds": operations // 2}


def fill(parts: list[nn.Module], file: str) -> None:
    """Gives all parts the initial weights of ours."""
    arrays = np.load(file)
    left: Iterator[np.ndarray] = (arrays[name] for name in arrays.files)
    with torch.no_grad():
        for part in parts:
            for parameter in part.parameters():
                value = next(left)
                if value.ndim == 4:
                    value = value[::-1, ::-1].transpose(3, 2, 0, 1)
                elif value.ndim == 2:
                    value = value.T
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    if next(left, None) is not None:
        raise ValueError(f"{file} holds more weights than the networks have")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_flags(parser)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--weights", required=True, help="the file of the initial weights")
    parser.add_argument("--mode", choices=("eager", "compile"), required=True)
    parser.add_argument("--layout", choices=("first", "last"), required=True)
    args = parser.parse_args()
    layout = torch.channels_last if args.layout == "last" else torch.contiguous_format
    joint = Joint(setting(args), args.weights, layout, args.mode == "compile")
    turns.serve(
        joint.describe,
        lambda rounds: {"loss": sum(joint.round() for _ in range(rounds)) / rounds},
    )


if __name__ == "__main__":
    main()
