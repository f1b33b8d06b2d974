/** The models to choose from, or all of them. */

import { byId, make, setText, showItems } from "./dom.js";
import { modelOf } from "./previews.js";

const ALL = "All";

export function createModels(app) {
  const list = byId("model-list");

  function create() {
    const radio = make("input", { type: "radio", name: "model", className: "hidden" });
    radio.addEventListener("change", () => app.change(radio.value ? { model: radio.value, all: false } : { all: true }));
    return make("label", {}, radio, make("span"));
  }

  return function render(state) {
    const { models, look } = state;
    if (!models.length) return;
    const current = modelOf(state);
    showItems(list, [...models.map(({ name }) => name), ""], create, (label, name) => {
      const [radio, text] = label.children;
      radio.value = name;
      radio.checked = look.all ? !name : name === current.name;
      setText(text, name ? labelOf(name) : ALL);
    });
    setText(byId("model-note"), look.all ? "All models side by side; click on the one you like." : current.description);
  };
}

/** `v12` is V12; other names are as their owners wrote them. */
export function labelOf(name) {
  return /^v\d+$/.test(name) ? name.toUpperCase() : name;
}
