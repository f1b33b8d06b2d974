"""Serve the colorizers: a black-and-white picture in, a coloured picture out."""

__version__ = "0.1.0"
