"""Serve the colorizers: a black-and-white picture in, a coloured picture out."""

import os

__version__ = "0.1.0"

# ONNX Runtime reports to its maker what it runs unless it is told not to before it is
# loaded: names and hashes of models, to a host that nobody here chose.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
