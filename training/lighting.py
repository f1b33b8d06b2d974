"""Coloured light: colour that follows place, for pictures whose colour follows shapes.

In real abstract pictures colour depends on place at least as much as on shape:
blue above and orange below, whatever is drawn there. In generated ones it follows
shapes and lightness, and a network that has seen nothing else trusts these too
much when it spreads hints.
"""

from __future__ import annotations

import math

import tensorflow as tf

TURNED_SHARE = 0.42
"""Of the pictures that are lit: those whose hues turn from place to place. The others
are tinted, by a light that goes from one colour to another."""
TURNS_RAD = (0.6, 2.6)
"""Between the lowest and the highest place of the field."""
TINT_CHROMA = (20.0, 70.0)
TINT_STRENGTH = (0.25, 0.9)
"""Of a tint: share of the colour that is the light's."""
WAVES = 3
FREQUENCIES = (0.2, 1.0)
"""Of the waves that a field is the mean of, in periods a side."""


def light_with_colors(lab: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Turn the hues of a picture by a smooth field, or tint it by one, or leave it.

    Parameters
    ----------
    lab : tf.Tensor of float32, shape (size, size, 3)
        CIE L*a*b*.
    share : float
        Of the pictures that are lit.
    seed : tf.Tensor of int64, shape (2,)
        The same seed gives the same light.

    Returns
    -------
    tf.Tensor of float32, shape (size, size, 3)
        Of the same L*.
    """
    uniform = tf.random.stateless_uniform([7], seed)
    is_turned = uniform[0] < share * TURNED_SHARE
    is_tinted = (uniform[0] < share) & ~is_turned
    field = _draw_field(tf.shape(lab)[0], seed + 1)  # (size, size, 1)

    angle = tf.where(is_turned, _between(TURNS_RAD, uniform[1]), 0.0) * field
    cosine, sine = tf.cos(angle), tf.sin(angle)
    lightness, a, b = tf.split(lab, 3, axis=-1)
    chroma = tf.concat([cosine * a - sine * b, sine * a + cosine * b], axis=-1)

    hues = 2 * math.pi * tf.stack([uniform[2], uniform[2] + uniform[3] - 0.5])
    ends = tf.stack([tf.cos(hues), tf.sin(hues)], axis=-1)  # (2, 2)
    ends *= _between(TINT_CHROMA, uniform[4:6])[:, None]
    # Black and white take no colour.
    tint = (ends[0] + (field + 0.5) * (ends[1] - ends[0])) * lightness * (100 - lightness) / 2500
    chroma += tf.where(is_tinted, _between(TINT_STRENGTH, uniform[6]), 0.0) * (tint - chroma)
    return tf.concat([lightness, chroma], axis=-1)


def _draw_field(size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw a field of about a wave a side, from -0.5 to 0.5: (size, size, 1)."""
    uniform = tf.random.stateless_uniform([3, WAVES, 1, 1], seed)
    direction, phase = 2 * math.pi * uniform[0], 2 * math.pi * uniform[1]
    frequency = 2 * math.pi * _between(FREQUENCIES, uniform[2])
    x = tf.linspace(0.0, 1.0, size)
    y = x[:, None]
    waves = tf.cos(frequency * (tf.cos(direction) * x + tf.sin(direction) * y) + phase)
    return tf.clip_by_value(tf.reduce_mean(waves, axis=0), -0.5, 0.5)[..., None]


def _between(ends: tuple[float, float], share: tf.Tensor) -> tf.Tensor:
    return ends[0] + (ends[1] - ends[0]) * share
