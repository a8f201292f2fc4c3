"""The model card of a component: `README.md`, for people and for the Hugging Face hub."""

from __future__ import annotations

import json

from keras_compat.escaping import escape_markdown
from keras_compat.store.manifest import Manifest


def write_card(manifest: Manifest, what: str) -> str:
    """Returns the model card of a component.

    Source: the front matter is that of
    https://huggingface.co/docs/hub/model-cards#model-card-metadata.
    """
    built = [
        f"- {part}: `{record.architecture}`, {record.normalization} normalization"
        for part, record in (("extractor", manifest.extractor), ("head", manifest.head))
        if record is not None
    ]
    height, width, channels = ("any" if size is None else size for size in manifest.interface)
    lines = [
        "---",
        "library_name: keras",
        f"license: {_quoted(manifest.licence)}",
        "pipeline_tag: image-classification",
        "tags:",
        "- keras_compat",
        f"- {manifest.kind}",
        "---",
        "",
        f"# {escape_markdown(what)}",
        "",
        f"A component of kind `{manifest.kind}`, written by keras_compat; read it with "
        "`keras_compat.store`.",
        "",
        *built,
        f"- feature interface: {height} x {width} x {channels}",
        f"- statistics of batch normalization: {manifest.statistics}",
    ]
    if manifest.task:
        lines.append(f"- auxiliary task: `{manifest.task}`")
    if manifest.class_names:
        named = ", ".join(escape_markdown(name) for name in manifest.class_names[:50])
        more = ", ..." if len(manifest.class_names) > 50 else ""
        lines.append(f"- {len(manifest.class_names)} classes: {named}{more}")
    for auxiliary in manifest.auxiliaries:
        lines.append(f"- family: {auxiliary.mode} {auxiliary.task} head `{auxiliary.sha256[:12]}`")
    for parent in manifest.parents:
        lines.append(f"- made from: {parent.kind} `{parent.name}@{parent.version}`")
    for data in manifest.data:
        lines.append(f"- trained on: {escape_markdown(data.name)}, {data.images:,} images")
    if manifest.metrics:
        lines += ["", "| measured | |", "|:--|--:|"]
        lines += [f"| {escape_markdown(name)} | {x:.4g} |" for name, x in manifest.metrics.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Returns a text as JSON, which YAML contains."""
    return json.dumps(text)
