/** Eight choices of the model as thumbnails; one is picked with a click or with arrow keys. */

import { byId, make, paint, showItems } from "./dom.js";

export function createVariations(app) {
  const { store } = app;
  const list = byId("variation-list");

  function create(index) {
    const choice = make("input", { type: "radio", name: "variation", value: String(index), className: "hidden" });
    choice.addEventListener("change", () => app.change({ variation: index, palette: null, all: false }));
    return make("label", { className: "choice" }, choice, make("canvas", { attributes: { "aria-hidden": "true" } }));
  }

  return function render({ look, picture, variations, takesVariation, busy }) {
    byId("variations").hidden = !takesVariation;
    const isCurrent = variations?.picture === picture;
    list.classList.toggle("waiting", busy.variations);
    // Until they come, their places are kept, so that nothing jumps.
    const choices = isCurrent ? variations.choices : Array.from({ length: 8 }, () => null);
    showItems(list, choices, create, (label, choice, index) => {
      const [radio, canvas] = label.children;
      radio.setAttribute("aria-label", index === 0 ? "The model’s first choice" : `Variation ${index}`);
      radio.disabled = !choice;
      radio.checked = !look.palette && look.variation === index;
      label.classList.toggle("empty", !choice);
      if (choice) paint(canvas, choice.image);
    });
  };
}
