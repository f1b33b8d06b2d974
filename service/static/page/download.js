/** The picture at full size: sent as it was given, saved as it was answered. */

import { byId, make, setText } from "./dom.js";
import { FORMATS, lookFor, rivalsFor } from "./look.js";
import { modelOf } from "./previews.js";

const MEGABYTE = 1e6;

export function createDownload(app) {
  const { store, api } = app;
  const format = byId("format");
  let controller = null;
  let held = null;

  format.append(...FORMATS.map((name) => make("option", { value: name }, name === "auto" ? "As uploaded" : name.toUpperCase())));
  format.addEventListener("change", () => app.change({ format: format.value }));

  const tell = (changes) => store.set({ download: changes && { ...store.state.download, ...changes } });

  async function load(look, { all }) {
    controller = new AbortController();
    store.set({ problems: { ...store.state.problems, download: null }, otherColors: null });
    tell({ phase: "sending", loaded: 0, total: 0 });
    try {
      const { models, picture: { file, name } } = store.state;
      const options = { signal: controller.signal, onProgress: tell };
      return all ? await api.compare(file, name, look, rivalsFor(look, models), options) : await api.colorize(file, name, look, options);
    } catch (problem) {
      if (problem.name !== "AbortError") store.set({ problems: { ...store.state.problems, download: problem } });
      return null;
    } finally {
      tell(null);
    }
  }

  async function download() {
    const { look: wanted, colored, picture } = store.state;
    const look = wanted.all ? wanted : lookFor(wanted, modelOf(store.state));
    const answer = await load(look, wanted);
    if (!answer || picture !== store.state.picture) return;
    const isChosen = !wanted.all && !look.palette;
    if (isChosen && colored && answer.palette.join() !== colored.palette.join()) {
      held = { answer, look, palette: colored.palette };
      store.set({ otherColors: answer.palette });
    } else save(answer);
  }

  byId("save").addEventListener("click", download);
  byId("cancel").addEventListener("click", () => controller.abort());
  byId("keep-full").addEventListener("click", () => {
    save(held.answer);
    store.set({ otherColors: null });
  });
  byId("keep-preview").addEventListener("click", async () => {
    const { look, palette } = held;
    app.change({ palette, variation: 0 });
    const answer = await load({ ...look, palette, variation: 0 }, { all: false });
    if (answer) save(answer);
  });

  return function render({ look, download: transfer, otherColors, colored }) {
    format.value = look.format;
    byId("save").disabled = Boolean(transfer) || !colored;
    setText(byId("save").lastElementChild, look.all ? "Download the sheet" : "Download full size");
    byId("transfer").hidden = !transfer;
    byId("other-colors").hidden = !otherColors;
    if (otherColors) {
      setText(byId("other-colors-text"), "At full size the model sees more, and chose other colours than in the preview: "
        + `${otherColors.join(", ")}.`);
    }
    if (!transfer) return;
    const progress = byId("progress");
    if (transfer.phase === "coloring" || !transfer.total) progress.removeAttribute("value");
    else progress.value = transfer.loaded / transfer.total;
    setText(byId("transfer-text"), describe(transfer));
  };
}

function describe({ phase, loaded, total }) {
  if (phase === "coloring") return "Colouring at full size …";
  const verb = phase === "sending" ? "Sending" : "Receiving";
  return total > MEGABYTE ? `${verb} ${(loaded / MEGABYTE).toFixed(1)} of ${(total / MEGABYTE).toFixed(1)} MB` : `${verb} …`;
}

function save({ blob, name }) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: name }).click();
  // Browsers read it after the click.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
