/** The same look from a shell and from Python, to copy. */

import { announce, byId, setText } from "./dom.js";
import { ADJUSTMENTS, hintsOf, lookFor, queryOf, rivalsFor } from "./look.js";
import { modelOf } from "./previews.js";

const KEPT = ["jpg", "jpeg", "png", "webp", "avif", "tiff", "tif", "bmp"];

export function createSnippets(app) {
  const { store, api } = app;
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(byId(button.dataset.copy).textContent);
      button.textContent = "Copied";
      announce("Copied");
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  return function render({ picture, models, look }) {
    if (!picture || !models.length) return;
    const model = modelOf(store.state);
    const sent = look.all ? { ...look, model: null } : lookFor(look, model);
    const rivals = look.all ? rivalsFor(look, models) : null;
    const call = { look: sent, all: look.all, rivals, name: picture.name, base: app.base, hasKey: api.hasKey() };
    setText(byId("curl"), curlLine(call));
    setText(byId("python"), pythonLines(call));
  };
}

/** The line for a shell: in single quotes nothing means anything but what it is. */
export function curlLine({ look, all, rivals, name, base, hasKey }) {
  const pairs = rivals ? [...queryOf(look), ["models", rivals.join()]] : queryOf(look);
  const query = pairs.map(([key, value]) => `${key}=${encodeURIComponent(value).replaceAll("%2C", ",")}`).join("&");
  const address = new URL(all ? "colorize/compare" : "colorize", base).href + (query ? `?${query}` : "");
  const hints = hintsOf(look);
  return [
    "curl",
    // Not in single quotes: the shell is to put the key there.
    ...(hasKey ? ['-H "Authorization: Bearer $COLORIZE_KEY"'] : []),
    "-F", quote(`file=@${quoteForCurl(name)}`),
    ...(hints ? ["--form-string", quote(`hints=${hints}`)] : []),
    quote(address),
    "-o", quote(answerName(name, look, all)),
  ].join(" ");
}

/** A program that does the same with `service.client`. */
export function pythonLines({ look, all, rivals, name, base, hasKey }) {
  const options = [];
  if (look.model && !all) options.push(`model=${text(look.model)}`);
  if (rivals) options.push(`models=[${rivals.map(text).join(", ")}]`);
  if (look.palette) options.push(`palette=[${look.palette.map(text).join(", ")}]`);
  if (look.variation) options.push(`variation=${look.variation}`);
  if (look.hints.length) {
    options.push(`hints=[${look.hints.map(({ x, y, color }) => `(${x}, ${y}, ${text(color)})`).join(", ")}]`);
  }
  for (const { name: key, neutral } of ADJUSTMENTS) if (look[key] !== neutral) options.push(`${key}=${look[key]}`);
  if (look.format !== "auto") options.push(`format=${text(look.format)}`);
  const headers = hasKey ? ', headers={"X-API-Key": os.environ["COLORIZE_KEY"]}' : "";
  const lines = options.map((option) => `        ${option},`);
  return [
    ...(hasKey ? ["import os", ""] : []),
    "from service.client import Client",
    "",
    `with Client(${text(base.href.replace(/\/$/, ""))}${headers}) as client:`,
    `    picture = client.${all ? "compare" : "colorize"}(`,
    `        ${text(name)},`,
    ...lines,
    "    )",
    `    picture.save(${text(answerName(name, look, all))})`,
  ].join("\n");
}

function quote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** In the value of a form part, curl gives commas, semicolons and quotes a meaning. */
function quoteForCurl(name) {
  return /[",;\\]/.test(name) ? `"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : name;
}

/** A literal of Python: JSON is one, but for what it leaves as it is, which Python takes too. */
function text(value) {
  return JSON.stringify(value);
}

function answerName(name, look, all) {
  const at = name.lastIndexOf(".");
  const stem = at > 0 ? name.slice(0, at) : name;
  const ending = at > 0 ? name.slice(at + 1).toLowerCase() : "";
  const usual = all || ending === "gif" ? "png" : KEPT.includes(ending) ? ending : "jpg";
  const extension = look.format === "auto" ? usual : look.format === "jpeg" ? "jpg" : look.format;
  return `${stem}-${all ? "compare" : look.model}.${extension}`;
}
