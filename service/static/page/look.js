/**
 * The look: all that is said about colours, and nothing of the picture.
 *
 * It is what a link shares, what undo takes back, and what the service is asked for.
 */

import { readHex } from "./color.js";

export const MAX_COLORS = 8;
export const MAX_HINTS = 100;
export const VARIATIONS = 8;
const LAST_VARIATION = 999;

export const ADJUSTMENTS = [
  { name: "saturation", label: "Saturation", min: 0, max: 2, neutral: 1, ends: ["grey", "vivid"] },
  { name: "brightness", label: "Brightness", min: 0, max: 2, neutral: 1, ends: ["dark", "bright"] },
  { name: "contrast", label: "Contrast", min: 0, max: 2, neutral: 1, ends: ["flat", "stark"] },
  { name: "tone", label: "Tone", min: -1, max: 1, neutral: 0, ends: ["cool", "warm"] },
];
export const FORMATS = ["auto", "png", "jpeg", "webp", "avif", "tiff", "bmp"];

export const NEUTRAL = Object.fromEntries(ADJUSTMENTS.map(({ name, neutral }) => [name, neutral]));

/**
 * `model` null is the service's first choice of models, `palette` null the model's choice of
 * colours; `all` shows all models side by side. Colours are `#rrggbb`.
 */
export const DEFAULT_LOOK = Object.freeze({
  model: null,
  all: false,
  variation: 0,
  palette: null,
  locked: [],
  hints: [],
  ...NEUTRAL,
  format: "auto",
});

/** Write a look for an address: only what is not as usual. */
export function lookToHash(look) {
  const words = queryOf(look);
  if (look.all) words.push(["all", "true"]);
  if (look.locked.length) words.push(["locked", bare(look.locked)]);
  if (look.hints.length) {
    words.push(["hints", look.hints.map(({ x, y, color }) => [x, y, bare([color])].join()).join(";")]);
  }
  return words.map((pair) => pair.map(encodeURIComponent).join("=").replaceAll("%2C", ",")
    .replaceAll("%3B", ";")).join("&");
}

/** Read a look from an address; what makes no sense counts as not said. */
export function lookFromHash(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const palette = colorsIn(words.get("palette")).slice(0, MAX_COLORS);
  const adjustments = ADJUSTMENTS.map(({ name, min, max, neutral }) => [
    name, numberIn(words.get(name), min, max, neutral),
  ]);
  return {
    model: words.get("model") || null,
    all: words.get("all") === "true",
    variation: Math.round(numberIn(words.get("variation"), 0, LAST_VARIATION, 0)),
    palette: palette.length ? palette : null,
    locked: colorsIn(words.get("locked")),
    hints: (words.get("hints") ?? "").split(";").map(readHint).filter(Boolean).slice(0, MAX_HINTS),
    ...Object.fromEntries(adjustments),
    format: FORMATS.includes(words.get("format")) ? words.get("format") : "auto",
  };
}

/** The query that asks the service for a look: pairs of name and value. */
export function queryOf(look) {
  const pairs = [];
  if (look.model) pairs.push(["model", look.model]);
  if (look.palette) pairs.push(["palette", bare(look.palette)]);
  if (look.variation) pairs.push(["variation", String(look.variation)]);
  for (const { name, neutral } of ADJUSTMENTS) {
    if (look[name] !== neutral) pairs.push([name, String(look[name])]);
  }
  if (look.format !== "auto") pairs.push(["format", look.format]);
  return pairs;
}

/** The form part `hints` of a look, or null. */
export function hintsOf(look) {
  return look.hints.length ? JSON.stringify(look.hints) : null;
}

/** Leave out what a model cannot be told; `inputs` are those of its card. */
export function lookFor(look, { name, inputs }) {
  const palette = inputs.includes("palette") ? look.palette : null;
  return {
    ...look,
    model: name,
    palette,
    hints: inputs.includes("hints") ? look.hints : [],
    variation: palette || inputs.includes("variation") ? look.variation : 0,
  };
}

/** Who can be told a look: the names of models for a sheet, or null when all of them can. */
export function rivalsFor(look, models) {
  const needed = ["palette", "hints"].filter((input) => look[input]?.length);
  if (look.variation && !look.palette) needed.push("variation");
  const able = models.filter(({ inputs }) => needed.every((input) => inputs.includes(input)));
  return able.length < models.length ? able.map(({ name }) => name) : null;
}

/** Make shares short, so that links are: a ten-thousandth is less than a pixel. */
export function roundShare(share) {
  return Math.round(Math.min(1, Math.max(0, share)) * 1e4) / 1e4;
}

function bare(colors) {
  return colors.map((color) => color.slice(1)).join();
}

function colorsIn(text) {
  return (text ?? "").split(",").map(readHex).filter(Boolean);
}

function readHint(text) {
  const [x, y, color] = text.split(",");
  const hint = { x: parseFloat(x), y: parseFloat(y), color: readHex(color ?? "") };
  const isInside = hint.x >= 0 && hint.x <= 1 && hint.y >= 0 && hint.y <= 1;
  return isInside && hint.color ? hint : null;
}

function numberIn(text, min, max, otherwise) {
  const number = parseFloat(text ?? "");
  return Number.isFinite(number) ? Math.min(max, Math.max(min, number)) : otherwise;
}
