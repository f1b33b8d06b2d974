/** Hints: colours at points of the picture, placed, moved, painted and deleted. */

import { nameColor } from "./color.js";
import { announce, byId, make, showItems } from "./dom.js";
import { MAX_HINTS, roundShare } from "./look.js";

const MOVES_AFTER = 4;
/** Pixels outside of the picture at which a hint that is let go is gone. */
const AWAY = 28;
const STEP = 0.01;
const LEAP = 0.05;

export function createHints(app) {
  const { store } = app;
  const frame = byId("frame");
  const layer = byId("hints");
  const editor = byId("hint-editor");
  const picker = byId("hint-color");

  const hints = () => store.state.look.hints;
  const select = (selectedHint) => store.set({ selectedHint });

  function pointAt(event) {
    const { left, top, width, height } = frame.getBoundingClientRect();
    return { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
  }

  function place({ x, y }, color = store.state.brush) {
    if (hints().length >= MAX_HINTS) return;
    app.change({ hints: [...hints(), { x: roundShare(x), y: roundShare(y), color }] });
    select(hints().length - 1);
    announce(`Hint placed: ${nameColor(color)}`);
  }

  function alter(index, changes, gesture) {
    app.change({ hints: hints().map((hint, other) => (other === index ? { ...hint, ...changes } : hint)) }, gesture);
  }

  function remove(index) {
    app.change({ hints: hints().filter((_, other) => other !== index) });
    select(null);
    announce("Hint deleted");
    (layer.children[Math.max(0, index - 1)] ?? byId("add-hint")).focus();
  }

  function paintHint(color, gesture) {
    const index = store.state.selectedHint;
    store.set({ brush: color });
    alter(index, { color }, gesture);
  }

  function create(index) {
    const hint = make("button", { type: "button", className: "hint" });
    let start = null;
    let isMoving = false;
    hint.addEventListener("pointerdown", (event) => {
      hint.setPointerCapture(event.pointerId);
      start = event;
      isMoving = false;
    });
    hint.addEventListener("pointermove", (event) => {
      if (!start) return;
      isMoving ||= Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) >= MOVES_AFTER;
      if (!isMoving) return;
      select(null);
      const { x, y } = pointAt(event);
      hint.classList.toggle("leaving", isAway(event));
      alter(index, { x: roundShare(x), y: roundShare(y) }, `hint ${start.timeStamp}`);
    });
    hint.addEventListener("pointerup", (event) => {
      hint.classList.remove("leaving");
      app.endGesture();
      if (isMoving && isAway(event)) remove(index);
      start = null;
    });
    hint.addEventListener("click", () => {
      if (isMoving) isMoving = false;
      else select(store.state.selectedHint === index ? null : index);
    });
    hint.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? LEAP : STEP;
      const [right, down] = {
        ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
      }[event.key] ?? [0, 0];
      if (right || down) {
        const { x, y } = hints()[index];
        event.preventDefault();
        alter(index, { x: roundShare(x + right), y: roundShare(y + down) }, `hint ${index}`);
      } else if (event.key === "Delete" || event.key === "Backspace") {
        event.preventDefault();
        remove(index);
      }
    });
    return hint;
  }

  function isAway({ clientX, clientY }) {
    const { left, top, right, bottom } = frame.getBoundingClientRect();
    return clientX < left - AWAY || clientX > right + AWAY || clientY < top - AWAY || clientY > bottom + AWAY;
  }

  frame.dataset.takesColor = "";
  frame.addEventListener("colordrop", ({ detail }) => place(pointAt(detail), detail.color));
  frame.addEventListener("click", (event) => {
    const isPicture = event.target === frame || event.target.matches("canvas, #hints");
    if (!isPicture || !store.state.colored || !store.state.takesHints) return;
    if (store.state.selectedHint === null) place(pointAt(event));
    else select(null);
  });
  byId("add-hint").addEventListener("click", () => {
    place({ x: 0.5, y: 0.5 });
    queueMicrotask(() => layer.lastElementChild?.focus());
  });
  byId("clear-hints").addEventListener("click", () => {
    app.change({ hints: [] });
    select(null);
  });
  picker.addEventListener("input", () => paintHint(picker.value, "hint color"));
  picker.addEventListener("change", () => app.endGesture());
  byId("hint-delete").addEventListener("click", () => remove(store.state.selectedHint));
  frame.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || store.state.selectedHint === null) return;
    layer.children[store.state.selectedHint].focus();
    select(null);
  });

  return function render({ look, selectedHint, colored, takesHints }) {
    showItems(layer, look.hints, create, (hint, { x, y, color }, index) => {
      hint.style.setProperty("--x", `${100 * x}%`);
      hint.style.setProperty("--y", `${100 * y}%`);
      hint.style.setProperty("--color", color);
      hint.setAttribute("aria-label", `Hint ${index + 1}, ${nameColor(color)}, ${Math.round(100 * x)} % from the left, `
        + `${Math.round(100 * y)} % from the top. Arrows move it, Delete deletes it.`);
      hint.setAttribute("aria-expanded", String(index === selectedHint));
    });
    const selected = look.hints[selectedHint];
    editor.hidden = !selected;
    byId("hint-panel").hidden = !takesHints;
    byId("clear-hints").hidden = look.hints.length === 0;
    if (!selected) return;
    editor.style.setProperty("--x", `${100 * selected.x}%`);
    editor.style.setProperty("--y", `${100 * selected.y}%`);
    editor.classList.toggle("above", selected.y > 0.5);
    if (picker.value !== selected.color) picker.value = selected.color;
    showItems(editor.querySelector(".choices"), look.palette ?? colored?.palette ?? [], () => {
      const choice = make("button", { type: "button", className: "chip" });
      choice.addEventListener("click", () => paintHint(choice.dataset.color));
      return choice;
    }, (choice, color) => {
      choice.dataset.color = color;
      choice.style.setProperty("--color", color);
      choice.setAttribute("aria-label", `${nameColor(color)}, ${color}`);
    });
  };
}
