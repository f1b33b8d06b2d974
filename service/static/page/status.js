/** What the page is doing, and what went wrong, where it went wrong. */

import { byId, make, setText } from "./dom.js";
import { labelOf } from "./models.js";

/** Where problems are shown; what can be tried again. */
const PLACES = ["intake", "preview", "variations", "palette", "download"];
const REPEATABLE = ["preview", "variations"];

export function createStatus(app) {
  const holders = PLACES.map((place) => {
    const text = make("p");
    const again = make("button", { type: "button", className: "link" }, "Try again");
    const holder = make("div", { className: "problem", hidden: true, attributes: { role: "alert" } }, text, again);
    again.addEventListener("click", () => app.tryAgain(place));
    byId(`${place}-problem`).append(holder);
    return { place, holder, text, again };
  });

  return function render(state) {
    const { problems, picture } = state;
    for (const { place, holder, text, again } of holders) {
      // Side by side is another way to preview.
      const problem = problems[place] ?? (place === "preview" ? problems.comparison : null);
      holder.hidden = !problem;
      again.hidden = !(REPEATABLE.includes(place) || (place === "intake" && app.canReopen));
      if (problem) setText(text, sentence(problem));
    }
    // Where a picture is open, a new one that fails is told of beside it.
    const intake = byId("intake-problem");
    const home = picture ? byId("stage") : byId("drop");
    if (intake.previousElementSibling !== home) home.after(intake);
    setText(byId("status"), describe(state));
  };
}

function sentence({ title, detail, message }) {
  const words = detail ? `${title}. ${detail}` : `${title ?? message}`;
  return /[.!?]$/.test(words) ? words : `${words}.`;
}

function describe({ wait, reading, picture, colored, look, busy, models }) {
  if (wait) return `The service is busy. Trying again in ${wait} s …`;
  if (reading) return `Reading ${reading} …`;
  if (!picture) return "";
  if (look.all) return busy.comparison ? "Colouring …" : `${models.length} models, side by side`;
  if (busy.preview || colored?.picture !== picture) return "Colouring …";
  const ways = [look.palette && "in your palette", look.variation && `variation ${look.variation}`].filter(Boolean);
  const how = ways.join(", ") || "in colours of its own choice";
  return `Coloured by ${labelOf(colored.look.model)}, ${how}`;
}
