/** The picture: grey on the left of the divider, coloured on its right. */

import { byId, paint, setText } from "./dom.js";

const STEP = 2;
const LEAP = 10;
/** Where the divider comes to rest once the picture has turned to colour. */
export const AT_REST = 22;
export const ALL_GREY = 100;

export function createStage(store) {
  const frame = byId("frame");
  const grey = byId("grey");
  const colored = byId("colored");
  const divider = byId("divider");

  const set = (divide) => store.set({ divide: Math.min(100, Math.max(0, divide)), isSweeping: false });

  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    divider.focus();
    event.preventDefault();
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const { left, width } = frame.getBoundingClientRect();
    set(100 * (event.clientX - left) / width);
  });
  divider.addEventListener("keydown", (event) => {
    const { divide } = store.state;
    const target = {
      ArrowLeft: divide - STEP, ArrowDown: divide - STEP, ArrowRight: divide + STEP, ArrowUp: divide + STEP,
      PageDown: divide - LEAP, PageUp: divide + LEAP, Home: 0, End: 100,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    set(target);
  });

  return function render({ picture, colored: coloring, divide, isSweeping, look, busy }) {
    if (!picture) return;
    frame.hidden = look.all;
    const isColored = coloring?.picture === picture;
    paint(grey, picture.grey);
    if (isColored) paint(colored, coloring.image);
    colored.hidden = !isColored;
    frame.style.setProperty("--ratio", String(picture.width / picture.height));
    frame.style.setProperty("--divide", `${divide}%`);
    frame.classList.toggle("sweeping", isSweeping);
    frame.classList.toggle("waiting", busy.preview);
    divider.hidden = !isColored;
    divider.setAttribute("aria-valuenow", String(Math.round(divide)));
    divider.setAttribute("aria-valuetext", `${Math.round(divide)} % grey, ${Math.round(100 - divide)} % in colour`);
    setText(byId("picture-name"), `${picture.name} · ${picture.width} × ${picture.height}`);
  };
}
