/** A picture as it was given, and the small copy of it that previews are made of. */

import { makeGrey } from "./color.js";

/** Longer side of the copy, in pixels: the network sees less, and choices hardly change. */
const SMALL_SIDE = 640;
/** A file as small as this is sent as it is. */
const SMALL_BYTES = 300_000;

let count = 0;

/**
 * Open a picture.
 *
 * @param {File} file
 * @param {(file: File) => Promise<Blob>} translate makes a JPEG of what browsers do not read, such as HEIC
 */
export async function openPicture(file, translate) {
  const bitmap = await decode(file).catch(async () => decode(await translate(file)));
  const canvas = drawSmall(bitmap);
  const { width, height } = bitmap;
  bitmap.close();
  const samples = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const isSmall = Math.max(width, height) <= SMALL_SIDE && file.size <= SMALL_BYTES;
  // Formats that the browser wrote are told by the service's own words for them.
  const format = isSeeThrough(samples.data) ? "png" : "jpeg";
  return {
    id: ++count,
    file,
    name: file.name,
    width,
    height,
    format,
    small: isSmall ? file : await encode(canvas, format),
    grey: greyOf(samples),
  };
}

function decode(blob) {
  // What cameras say about which side is up is applied.
  return createImageBitmap(blob, { imageOrientation: "from-image" });
}

function drawSmall(bitmap) {
  const scale = Math.min(1, SMALL_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function isSeeThrough(samples) {
  for (let i = 3; i < samples.length; i += 4) if (samples[i] < 255) return true;
  return false;
}

function encode(canvas, format) {
  return new Promise((resolve) => { canvas.toBlob(resolve, `image/${format}`, 0.95); });
}

function greyOf(samples) {
  makeGrey(samples.data);
  const canvas = document.createElement("canvas");
  canvas.width = samples.width;
  canvas.height = samples.height;
  canvas.getContext("2d").putImageData(samples, 0, 0);
  return canvas;
}
