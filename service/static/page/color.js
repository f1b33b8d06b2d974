/** Colours: hex, grey of the same lightness, and palettes drawn in OKLCH. */

/** Read `#rrggbb`, `rrggbb` or their short forms; null when it is none. */
export function readHex(text) {
  const digits = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(text.trim())?.[1].toLowerCase();
  if (!digits) return null;
  return `#${digits.length === 6 ? digits : [...digits].map((digit) => digit + digit).join("")}`;
}

/** Name a colour roughly, for those who hear it: "dark blue". */
export function nameColor(hex) {
  const { lightness, chroma, hue } = toOklch(hex);
  if (chroma < 0.03) return ["black", "dark grey", "grey", "light grey", "white"][Math.min(4, Math.floor(lightness * 5))];
  const names = ["pink", "red", "orange", "yellow", "lime", "green", "teal", "cyan", "sky blue", "blue", "violet", "magenta"];
  const shade = lightness < 0.45 ? "dark " : lightness > 0.82 ? "light " : "";
  return shade + names[Math.round(hue / 30) % 12];
}

/** Turn RGBA samples into grey of the same CIE lightness, in place. */
export function makeGrey(samples) {
  for (let i = 0; i < samples.length; i += 4) {
    // Greys stay as they are, to the last code.
    if (samples[i] === samples[i + 1] && samples[i] === samples[i + 2]) continue;
    const luminance = 0.2126 * LINEAR[samples[i]] + 0.7152 * LINEAR[samples[i + 1]] + 0.0722 * LINEAR[samples[i + 2]];
    samples[i] = samples[i + 1] = samples[i + 2] = ENCODED[Math.round(luminance * 4095)];
  }
}

/**
 * Draw new colours in place of those that are not locked: each as light as before, so
 * that the new ones fall on the same shapes, with hues that go together.
 */
export function shuffleColors(colors, locked, random = Math.random) {
  const kept = colors.filter((color) => locked.includes(color));
  const start = kept.length ? toOklch(kept[0]).hue : random() * 360;
  const steps = HARMONIES[Math.floor(random() * HARMONIES.length)];
  const vividness = 0.6 + 0.4 * random();
  let drawn = 0;
  return colors.map((color) => {
    if (locked.includes(color)) return color;
    const lightness = toOklch(color).lightness + 0.08 * (random() - 0.5);
    const hue = start + steps[drawn++ % steps.length] + 16 * (random() - 0.5);
    return fromOklch(Math.min(0.97, Math.max(0.12, lightness)), 0.24 * vividness, hue);
  });
}

/** Degrees from the first hue: neighbours, opposites, triads, and what is between. */
const HARMONIES = [
  [0, 30, 60, 90], [0, 180, 20, 200], [0, 120, 240], [0, 150, 210], [0, 40, 200, 240], [0, 90, 180, 270],
];

const LINEAR = Float32Array.from({ length: 256 }, (_, code) => linearize(code / 255));
const ENCODED = Uint8Array.from({ length: 4096 }, (_, step) => Math.round(255 * encode(step / 4095)));

function linearize(value) {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function encode(value) {
  return value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
}

/** Lightness 0..1, chroma and hue in degrees (B. Ottosson, "A perceptual color space", 2020). */
function toOklch(hex) {
  const [red, green, blue] = [1, 3, 5].map((at) => LINEAR[parseInt(hex.slice(at, at + 2), 16)]);
  const l = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
  const m = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
  const s = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
  const a = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
  const b = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s;
  return {
    lightness: 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    chroma: Math.hypot(a, b),
    hue: (Math.atan2(b, a) * 180 / Math.PI + 360) % 360,
  };
}

/** The nearest colour that sRGB has, at the same lightness and hue. */
function fromOklch(lightness, chroma, hue) {
  for (let share = 1; share > 0; share -= 0.02) {
    const rgb = oklchToRgb(lightness, chroma * share, hue);
    if (rgb.every((value) => value >= -0.001 && value <= 1.001)) return toHex(rgb);
  }
  return toHex(oklchToRgb(lightness, 0, hue));
}

function oklchToRgb(lightness, chroma, hue) {
  const a = chroma * Math.cos(hue * Math.PI / 180);
  const b = chroma * Math.sin(hue * Math.PI / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

function toHex(linear) {
  const codes = linear.map((value) => Math.round(255 * encode(Math.min(1, Math.max(0, value)))));
  return `#${codes.map((code) => code.toString(16).padStart(2, "0")).join("")}`;
}
