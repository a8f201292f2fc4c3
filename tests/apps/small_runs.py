"""Flags of a run of each app that takes seconds, on two sets of small pictures."""

from __future__ import annotations

FLAGS = {
    "classifier_transfer": [
        "--dataset={0}",
        "--extractors=a=resnet8:filters=4@stage2 b=resnet8:filters=4@stage2",
        "--head=resnet8:filters=4@stage2",
        "--reference=a",
        "--interface_channels=8",
        "--initial_classes=2",
        "--recalibration_images=8",
        "--upper_bounds=original",
        "--maintain=rotation",
        "--no-export",
        "--joint_rounds=2",
        "--update_rounds=2",
        "--bound_rounds=2",
    ],
    "compatibility_analysis": [
        "--datasets={0},{1}",
        "--architectures=resnet8:filters=4@stage2",
        "--methods=iiw+rp",
        "--evaluation_batch_size=20",
        "--rounds=2",
    ],
    "domain_adaptation": [
        "--source={0}",
        "--target={1}",
        "--architecture=resnet8:filters=4@stage2",
        "--evaluation_batch_size=20",
        "--checkpoints=1",
        "--held_out=0.3",
        "--rounds=2",
        "--adaptation_rounds=2",
    ],
    "transfer_learning": [
        "--rotation_data={0}",
        "--sources={0}",
        "--target={1}",
        "--architecture=resnet8:filters=4@stage2",
        "--evaluation_batch_size=20",
        "--ranking_images=20",
        "--methods=iiw+rp",
        "--rounds=2",
        "--epochs=1",
    ],
}
SMALL = ["--image_size=8", "--batch_size=16", "--no-augment"]


def few_steps(app: str, animals: str, things: str, *changes: str) -> list[str]:
    """Returns flags of an app for two sets, and what others change in them."""
    return [*(flag.format(animals, things) for flag in FLAGS[app]), *SMALL, *changes]
