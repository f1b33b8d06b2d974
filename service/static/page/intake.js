/** How pictures come in: chosen, photographed, dropped, pasted. */

import { byId } from "./dom.js";

export function createIntake(app) {
  const { store } = app;
  for (const input of [byId("file"), byId("camera"), byId("another")]) {
    input.addEventListener("change", () => {
      if (input.files[0]) take(input.files[0]);
      input.value = "";
    });
  }
  // Without scripts the form would have been sent; with them there is nothing to send.
  byId("drop").addEventListener("submit", (event) => event.preventDefault());

  let depth = 0;
  const setDropping = (isDropping) => {
    if (!isDropping) depth = 0;
    store.set({ isDropping });
  };
  document.addEventListener("dragenter", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    depth += 1;
    setDropping(true);
  });
  document.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) setDropping(false);
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    setDropping(false);
    const file = event.dataTransfer.files[0];
    if (file) take(file);
  });
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files][0];
    if (!file) return;
    event.preventDefault();
    take(file);
  });

  function take(file) {
    app.open(() => app.read(file));
  }

  return function render({ isDropping }) {
    document.body.classList.toggle("dropping", isDropping);
  };
}
