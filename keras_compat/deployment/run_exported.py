"""Script that runs SavedModels, ONNX and LiteRT files on images and stores their outputs.

`python -I run_exported.py REQUEST REPLY`, both JSON. The request:

    {"images": "images.npy", "batch_size": 500, "jobs": [
      {"kind": "saved_model", "paths": ["server"], "logits": "0.npy"},
      {"kind": "onnx", "paths": ["extractor.onnx", "head.onnx"], "logits": "1.npy"},
      {"kind": "litert", "paths": ["extractor.tflite", "head.tflite"], "logits": "2.npy"}]}

It needs NumPy, and TensorFlow for SavedModels, onnxruntime for ONNX, ai-edge-litert for LiteRT.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

# The files must work without the packages that trained them.
BLOCKED = ("keras", "keras_compat")


def run_saved_model(paths, images, batch_size):
    """Returns the outputs of a SavedModel, batch by batch."""
    import tensorflow as tf

    serve = tf.saved_model.load(paths[0]).signatures["serving_default"]
    starts = range(0, len(images), batch_size)
    outputs = []
    for start in starts:
        batch = tf.constant(images[start : start + batch_size].astype("float32"))
        (values,) = serve(images=batch).values()
        outputs.append(values.numpy())
    return np.concatenate(outputs)


def run_onnx(paths, images, batch_size):
    """Returns the outputs of ONNX files, each feeding the next, batch by batch."""
    import onnxruntime

    try:
        parts = [
            onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in paths
        ]
        logits = []
        for start in range(0, len(images), batch_size):
            x = images[start : start + batch_size].astype("float32")
            for part in parts:
                (x,) = part.run(None, {part.get_inputs()[0].name: x})
            logits.append(x)
    except Exception as error:  # onnxruntime's errors have no other base class
        raise RuntimeError(str(error)) from error
    return np.concatenate(logits)


def run_litert(paths, images, batch_size):
    """Returns the outputs of LiteRT files, each feeding the next, image by image.

    Several interpreters of one thread each share the images: one interpreter of two threads takes
    half as much processor time again and is hardly faster, since small images are quick.
    """
    shares = np.array_split(images, min(os.cpu_count() or 1, len(images)))
    with ThreadPoolExecutor(len(shares)) as pool:
        return np.concatenate(list(pool.map(lambda share: run_litert_share(paths, share), shares)))


def run_litert_share(paths, images):
    """Returns the outputs of LiteRT files for some of the images."""
    from ai_edge_litert.interpreter import Interpreter

    parts = []
    for path in paths:
        part = Interpreter(path, num_threads=1)
        part.allocate_tensors()
        parts.append((part, part.get_input_details()[0], part.get_output_details()[0]))
    logits = []
    for image in images:
        x = image[None]
        for part, inputs, outputs in parts:
            part.set_tensor(inputs["index"], quantized(x, inputs))
            part.invoke()
            x = part.get_tensor(outputs["index"])
        logits.append(x[0])
    return np.stack(logits)


def quantized(values, inputs):
    """Returns values in the type of a LiteRT file's input."""
    scale, zero = inputs["quantization"]
    if not scale:
        return values.astype(inputs["dtype"])
    kind = np.iinfo(inputs["dtype"])
    return np.clip(np.rint(values / scale + zero), kind.min, kind.max).astype(inputs["dtype"])


RUNNERS = {"saved_model": run_saved_model, "onnx": run_onnx, "litert": run_litert}


def main(request_file, reply_file):
    """Runs the request's jobs; replies with `{}` or with a file's error."""
    for name in BLOCKED:
        sys.modules[name] = None
    with open(request_file) as file:
        request = json.load(file)
    images = np.load(request["images"], allow_pickle=False)
    reply = {}
    for job in request["jobs"]:
        try:
            logits = RUNNERS[job["kind"]](job["paths"], images, request["batch_size"])
            np.save(job["logits"], logits.astype("float32"))
            # NumPy is silent where a disk is full.
            np.load(job["logits"], mmap_mode="r")
        except (OSError, ValueError, RuntimeError) as error:
            text = " ".join(str(error).split())
            reply = {"input_error": f"{', '.join(job['paths'])} cannot be run: {text}"}
            break
    with open(reply_file, "w") as file:
        json.dump(reply, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
