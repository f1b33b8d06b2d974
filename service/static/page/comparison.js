/** What each model makes of the picture, side by side with the grey one. */

import { byId, make, paint, setText, showItems } from "./dom.js";
import { labelOf } from "./models.js";

export function createComparison(app) {
  const list = byId("comparison");

  function create() {
    const button = make("button", { type: "button", className: "rival" }, make("canvas", { attributes: { "aria-hidden": "true" } }), make("span"));
    button.addEventListener("click", () => {
      if (button.dataset.model) app.change({ model: button.dataset.model, all: false });
    });
    return make("li", {}, button);
  }

  return function render({ look, picture, comparison, models, busy }) {
    list.hidden = !look.all || !picture;
    if (list.hidden) return;
    list.classList.toggle("waiting", busy.comparison);
    const colorings = comparison?.picture === picture ? comparison.colorings
      : models.map(({ name }) => ({ model: name, image: picture.grey }));
    showItems(list, [{ image: picture.grey }, ...colorings], create, (item, { model, image }) => {
      const [button] = item.children;
      const [canvas, caption] = button.children;
      paint(canvas, image);
      setText(caption, model ? labelOf(model) : "Original");
      button.dataset.model = model ?? "";
      button.disabled = !model;
      button.setAttribute("aria-label", model ? `Use ${labelOf(model)}` : "Original");
    });
  };
}
