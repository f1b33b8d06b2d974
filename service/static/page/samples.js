/** Samples to begin with: a click opens one; under the pointer it already turns to colour. */

import { byId, make, paint } from "./dom.js";
import { lookFor } from "./look.js";
import { colorizeSmall, modelOf } from "./previews.js";

export async function createSamples(app) {
  const { store, api } = app;
  const samples = await api.samples();
  byId("samples").hidden = samples.length === 0;
  byId("sample-list").append(...samples.map(create));

  function create({ name, picture: address, thumbnail }) {
    const canvas = make("canvas", { attributes: { "aria-hidden": "true" } });
    const image = make("img", { src: thumbnail, alt: "", width: 192, height: 192 });
    const button = make("button", { type: "button", className: "sample", attributes: { "aria-label": `Sample ${name.replaceAll("-", " ")}` } }, image, canvas);
    let opening = null;

    const open = () => {
      opening ??= api.sample(address).then((blob) => app.read(new File([blob], `${name}.jpg`, { type: "image/jpeg" })));
      opening.catch(() => { opening = null; });
      return opening;
    };

    async function bloom() {
      const picture = await open();
      if (!store.state.models.length) return;
      const look = lookFor(store.state.look, modelOf(store.state));
      const { image: coloring } = await colorizeSmall(api, picture, look);
      paint(canvas, coloring);
      button.classList.add("bloomed");
    }

    // A promise of what a click gives: if it fails, the click says why.
    button.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && bloom().catch(() => {}));
    button.addEventListener("click", () => app.open(open));
    return make("li", {}, button);
  }
}
