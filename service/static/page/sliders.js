/** Saturation, brightness, contrast and tone. */

import { byId, make, setText } from "./dom.js";
import { ADJUSTMENTS, NEUTRAL } from "./look.js";

export function createSliders(app) {
  const sliders = ADJUSTMENTS.map(({ name, label, min, max, neutral, ends }) => {
    const slider = make("input", { type: "range", id: name, min, max, step: 0.05 });
    const value = make("span", { className: "value", attributes: { "aria-hidden": "true" } });
    slider.addEventListener("input", () => app.change({ [name]: Number(slider.value) }, name));
    slider.addEventListener("change", () => app.endGesture());
    slider.addEventListener("dblclick", () => app.change({ [name]: neutral }));
    byId("sliders").append(make("div", { className: "slider" }, make("label", { htmlFor: name }, label), value, slider));
    return { name, slider, value, neutral, min, max, ends };
  });
  byId("reset-adjustments").addEventListener("click", () => app.change({ ...NEUTRAL }));

  return function render({ look }) {
    for (const { name, slider, value, neutral, min, max, ends } of sliders) {
      const number = look[name];
      if (Number(slider.value) !== number) slider.value = number;
      slider.style.setProperty("--share", `${100 * (number - min) / (max - min)}%`);
      const text = number === neutral ? "as is" : `${number > neutral ? "+" : "−"}${Math.round(100 * Math.abs(number - neutral))} %`;
      setText(value, text);
      slider.setAttribute("aria-valuetext", number === neutral ? text : `${text}, ${ends[Number(number > neutral)]}`);
    }
    byId("reset-adjustments").hidden = ADJUSTMENTS.every(({ name, neutral }) => look[name] === neutral);
  };
}
