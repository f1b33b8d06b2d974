/** The service: the only module that talks to it. */

import { hintsOf, queryOf } from "./look.js";
import { readZip } from "./zip.js";

const MOST_TRIES = 20;
const RETRY_S = 2;

/** What went wrong, as sentences; from a problem document (RFC 9457) where there is one. */
export class Problem extends Error {
  constructor({ title, detail = "", status = 0, type = "about:blank" }) {
    super(title);
    Object.assign(this, { title, detail, status, type });
  }
}

/**
 * @param {object} options
 * @param {URL} options.base where the service is
 * @param {(hadOne: boolean) => Promise<string>} options.askForKey
 * @param {(seconds: number | null) => void} options.onWait told of each second that a busy service costs
 */
export function createApi({ base, askForKey, onWait }) {
  let key = sessionStorage.getItem("key");
  let asking = null;

  /** One key is asked for, however many requests want it. */
  async function renewKey(refused) {
    if (refused !== key) return;
    asking ??= askForKey(refused !== null).finally(() => { asking = null; });
    key = await asking;
    sessionStorage.setItem("key", key);
  }

  async function send(method, path, { form, ...options } = {}) {
    for (let tries = 1; ; tries += 1) {
      const usedKey = key;
      const answer = await exchange(method, new URL(path, base), form, { ...options, key });
      if (answer.status >= 200 && answer.status < 300) return answer;
      if (answer.status === 401) await renewKey(usedKey);
      else if (answer.status === 503 && tries < MOST_TRIES) {
        await wait(Number(answer.header("Retry-After")) || RETRY_S, options.signal, onWait);
      } else throw await readProblem(answer);
    }
  }

  return {
    hasKey: () => key !== null,

    async models() {
      const cards = await readJson(await send("GET", "models"));
      return cards.map(({ name, description, inputs }) => ({
        name, description, inputs: inputs.map((input) => input.name),
      }));
    },

    /** The samples that the service has: names, and addresses of pictures and thumbnails. */
    async samples() {
      return readJson(await send("GET", "samples"));
    },

    async sample(address) {
      return (await send("GET", address)).blob;
    },

    /** Colour a picture: its file, the palette that was used, and what it is to be called. */
    async colorize(file, name, look, { extra = [], ...options } = {}) {
      const answer = await send("POST", address("colorize", [...queryOf(look), ...extra]), {
        form: formOf(file, name, look), ...options,
      });
      return readPicture(answer);
    },

    /** The picture beside what models make of it, on one sheet; `rivals` null is all of them. */
    async compare(file, name, look, rivals, options) {
      const query = queryOf({ ...look, model: null });
      if (rivals) query.push(["models", rivals.join()]);
      const answer = await send("POST", address("colorize/compare", query), {
        form: formOf(file, name, look), ...options,
      });
      return readPicture(answer);
    },

    /** Several variations with one request: their files and palettes. */
    async variations(file, name, look, count, { extra = [], ...options } = {}) {
      const query = queryOf({ ...look, variation: 0 });
      const answer = await send("POST", address("colorize/variations", [...query, ["n", count], ...extra]), {
        form: formOf(file, name, look), ...options,
      });
      const files = readZip(await answer.blob.arrayBuffer());
      const entries = JSON.parse(new TextDecoder().decode(files.get("palettes.json")));
      return entries.map((entry) => ({ blob: new Blob([files.get(entry.file)]), palette: entry.palette }));
    },

    /** The colours of a picture, the largest share first. */
    async palette(file, options) {
      const { colors } = await readJson(await send("POST", "palette", { form: formOf(file, file.name), ...options }));
      return colors.map(({ hex }) => hex);
    },
  };
}

function address(path, pairs) {
  const query = new URLSearchParams(pairs).toString().replaceAll("%2C", ",");
  return query ? `${path}?${query}` : path;
}

function formOf(file, name, look) {
  const form = new FormData();
  form.append("file", file, name);
  const hints = look && hintsOf(look);
  if (hints) form.append("hints", hints);
  return form;
}

/** One request and its answer. Of what the browser has, only this tells how much is sent. */
function exchange(method, url, form, { key, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    request.open(method, url);
    request.responseType = "blob";
    // Tells the service not to have the browser ask for a password: the page asks.
    request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    if (key !== null) request.setRequestHeader("Authorization", `Bearer ${key}`);
    request.onload = () => resolve({
      status: request.status,
      blob: request.response,
      header: (name) => request.getResponseHeader(name),
    });
    request.onerror = () => reject(new Problem({
      title: "No answer from the service", detail: "Perhaps it is being restarted, or the network is down.",
    }));
    request.onabort = () => reject(new DOMException("no longer wanted", "AbortError"));
    request.onloadend = () => signal?.removeEventListener("abort", stop);
    if (onProgress) {
      request.upload.onprogress = ({ loaded, total }) => onProgress({ phase: "sending", loaded, total });
      request.upload.onload = () => onProgress({ phase: "coloring" });
      request.onprogress = ({ loaded, total }) => onProgress({ phase: "receiving", loaded, total });
    }
    if (signal?.aborted) {
      request.onabort();
      return;
    }
    signal?.addEventListener("abort", stop);
    request.send(form);
  });
}

/** Count the seconds down until it is worth trying again. */
async function wait(seconds, signal, onWait) {
  try {
    for (let left = Math.ceil(seconds); left > 0; left -= 1) {
      onWait(left);
      await sleep(1000, signal);
    }
  } finally {
    onWait(null);
  }
}

function sleep(delayMs, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, delayMs);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

async function readJson(answer) {
  return JSON.parse(await answer.blob.text());
}

function readPicture({ blob, header }) {
  const palettes = header("X-Colorize-Palette") ?? "";
  return {
    blob,
    name: readName(header("Content-Disposition") ?? ""),
    palette: palettes.split("; ")[0].split(",").filter(Boolean).map((color) => `#${color}`),
  };
}

/** The name in `Content-Disposition`: all of Unicode first (RFC 6266). */
function readName(disposition) {
  const encoded = /filename\*=UTF-8''(\S+)/.exec(disposition)?.[1];
  return encoded ? decodeURIComponent(encoded) : /filename="([^"]+)"/.exec(disposition)?.[1] ?? "picture";
}

async function readProblem({ status, blob }) {
  try {
    const { title, detail, type } = JSON.parse(await blob.text());
    return new Problem({ title, detail, type, status });
  } catch {
    // What a proxy between us and the service says.
    return new Problem({ title: `The service answered ${status}`, status });
  }
}
