/** The palette: swatches that are edited, locked, shuffled, and filled from a reference picture. */

import { nameColor, shuffleColors } from "./color.js";
import { announce, byId, icon, make, showItems } from "./dom.js";
import { letDrag } from "./drag.js";
import { MAX_COLORS } from "./look.js";

export function createPalette(app) {
  const { store, api } = app;
  const section = byId("palette");
  const file = byId("reference-file");

  /** The colours that are shown: those that were chosen, or those that the model took. */
  const colors = () => shownColors(store.state);
  const use = (palette, gesture) => app.change({ palette, variation: 0 }, gesture);
  const replace = (index, color, gesture) => {
    const before = colors()[index];
    const { locked } = store.state.look;
    app.change({
      palette: colors().map((other, at) => (at === index ? color : other)),
      variation: 0,
      locked: locked.map((other) => (other === before ? color : other)),
    }, gesture);
  };

  function shuffle() {
    if (!colors().length) return;
    use(shuffleColors(colors(), store.state.look.locked));
    announce("New colours");
  }

  function add(color) {
    if (colors().length < MAX_COLORS) use([...colors(), color]);
    else {
      const free = colors().findIndex((other) => !store.state.look.locked.includes(other));
      if (free >= 0) replace(free, color);
    }
  }

  /** Take the colours of a picture for all that are not locked. */
  async function takeFrom(picture) {
    store.set({ problems: { ...store.state.problems, palette: null } });
    try {
      const found = await api.palette(picture);
      if (store.state.reference) URL.revokeObjectURL(store.state.reference.address);
      store.set({ reference: { address: URL.createObjectURL(picture), colors: found } });
      const kept = colors().filter((color) => store.state.look.locked.includes(color));
      use([...new Set([...kept, ...found])].slice(0, MAX_COLORS));
      announce(`${found.length} colours taken from ${picture.name}`);
    } catch (problem) {
      store.set({ problems: { ...store.state.problems, palette: problem } });
    }
  }

  function createSwatch(index) {
    const well = make("input", { type: "color", className: "well" });
    const lock = make("button", { type: "button", className: "mini lock" }, icon("open"), icon("lock"));
    const cross = make("button", { type: "button", className: "mini remove" }, icon("cross"));
    const swatch = make("li", { className: "swatch", data: { takesColor: "" } }, well, lock, cross);
    const color = () => colors()[index];
    well.addEventListener("input", () => replace(index, well.value, `swatch ${index}`));
    well.addEventListener("change", () => app.endGesture());
    lock.addEventListener("click", () => {
      const { locked } = store.state.look;
      const isLocked = locked.includes(color());
      app.change({ locked: isLocked ? locked.filter((other) => other !== color()) : [...locked, color()] });
    });
    cross.addEventListener("click", () => {
      use(colors().filter((_, other) => other !== index));
      // The swatch that moves up into its place, or the last one.
      queueMicrotask(() => [...byId("swatches").children].at(Math.min(index, colors().length - 1))?.querySelector(".remove").focus());
    });
    letDrag(well, color);
    swatch.addEventListener("colordrop", ({ detail }) => {
      const from = colors().indexOf(detail.color);
      if (from === index) return;
      // A colour of the palette changes places, one from elsewhere takes the place.
      if (from >= 0) use(colors().map((other, at) => (at === index ? detail.color : at === from ? color() : other)));
      else replace(index, detail.color);
    });
    return swatch;
  }

  function createReferenceColor() {
    const chip = make("button", { type: "button", className: "chip" });
    letDrag(chip, () => chip.dataset.color);
    chip.addEventListener("click", () => add(chip.dataset.color));
    return make("li", {}, chip);
  }

  byId("shuffle").addEventListener("click", shuffle);
  byId("add-color").addEventListener("click", () => add(shuffleColors(["#808080"], [])[0]));
  byId("palette-reset").addEventListener("click", () => app.change({ palette: null, variation: 0, locked: [] }));
  file.addEventListener("change", () => {
    if (file.files[0]) takeFrom(file.files[0]);
    file.value = "";
  });
  section.addEventListener("dragover", (event) => {
    event.preventDefault();
    section.classList.add("aimed");
  });
  section.addEventListener("dragleave", () => section.classList.remove("aimed"));
  section.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    section.classList.remove("aimed");
    store.set({ isDropping: false });
    const dropped = event.dataTransfer.files[0];
    if (dropped) takeFrom(dropped);
  });
  document.addEventListener("keydown", (event) => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const isTyping = event.target.matches("input[type=text], input[type=password], select");
    if (event.key.toLowerCase() === "s" && isPlain && !isTyping && store.state.takesPalette) shuffle();
  });

  return function render(state) {
    const { look, reference, takesPalette } = state;
    section.hidden = !takesPalette;
    byId("palette-reset").hidden = !look.palette;
    byId("add-color").disabled = shownColors(state).length >= MAX_COLORS;
    showItems(byId("swatches"), shownColors(state), createSwatch, (swatch, color, index) => {
      const [well, lock, cross] = swatch.children;
      const isLocked = look.locked.includes(color);
      const name = nameColor(color);
      if (well.value !== color) well.value = color;
      well.setAttribute("aria-label", `Colour ${index + 1}, ${name}, ${color}`);
      well.title = color;
      lock.setAttribute("aria-pressed", String(isLocked));
      lock.setAttribute("aria-label", `Lock ${name}`);
      cross.setAttribute("aria-label", `Remove ${name}`);
      cross.disabled = shownColors(state).length === 1;
      swatch.classList.toggle("locked", isLocked);
    });
    byId("reference").hidden = !reference;
    if (!reference) return;
    const picture = byId("reference-picture");
    if (picture.src !== reference.address) picture.src = reference.address;
    showItems(byId("reference-colors"), reference.colors, createReferenceColor, (item, color) => {
      const [chip] = item.children;
      chip.dataset.color = color;
      chip.style.setProperty("--color", color);
      chip.setAttribute("aria-label", `Use ${nameColor(color)}, ${color}`);
    });
  };
}

function shownColors({ look, colored }) {
  return look.palette ?? colored?.palette ?? [];
}
