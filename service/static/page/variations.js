/** Eight choices of the model, or arrangements of a palette, as thumbnails; one is picked with a click or with arrow keys. */

import { byId, make, paint, showItems } from "./dom.js";

export function createVariations(app) {
  const { store } = app;
  const list = byId("variation-list");

  function create(index) {
    const choice = make("input", { type: "radio", name: "variation", value: String(index), className: "hidden" });
    choice.addEventListener("change", () => app.change({ variation: index, all: false }));
    return make("label", { className: "choice" }, choice, make("canvas", { attributes: { "aria-hidden": "true" } }));
  }

  return function render({ look, picture, variations, takesPalette, takesVariation, busy }) {
    byId("variations").hidden = !(look.palette ? takesPalette : takesVariation);
    const isCurrent = variations?.picture === picture;
    list.classList.toggle("waiting", busy.variations);
    const first = look.palette ? "Your palette, each colour where it is as light" : "The model’s first choice";
    // Until they come, their places are kept, so that nothing jumps.
    const choices = isCurrent ? variations.choices : Array.from({ length: 8 }, () => null);
    showItems(list, choices, create, (label, choice, index) => {
      const [radio, canvas] = label.children;
      radio.setAttribute("aria-label", index === 0 ? first : `Variation ${index}`);
      radio.disabled = !choice;
      radio.checked = look.variation === index;
      label.classList.toggle("empty", !choice);
      if (choice) paint(canvas, choice.image);
    });
  };
}
