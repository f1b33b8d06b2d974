/** Colours that are dragged, by mouse, pen or finger, onto what takes them. */

import { make } from "./dom.js";

const BEGINS_AFTER = 6;

/**
 * Let a colour be dragged away from an element.
 *
 * What takes it has `data-takes-color`, and hears of it as the event `colordrop`.
 */
export function letDrag(element, colorOf) {
  let start = null;
  let ghost = null;
  let target = null;

  function aim(event) {
    const taker = document.elementsFromPoint(event.clientX, event.clientY)
      .map((other) => other.closest("[data-takes-color]")).find(Boolean) ?? null;
    if (taker === target) return;
    target?.classList.remove("aimed");
    taker?.classList.add("aimed");
    target = taker;
  }

  function end() {
    ghost?.remove();
    target?.classList.remove("aimed");
    start = ghost = target = null;
  }

  /** The click that ends a drag is no wish; it comes at once or not at all. */
  function swallowClick() {
    const swallow = (click) => {
      click.preventDefault();
      click.stopImmediatePropagation();
    };
    element.addEventListener("click", swallow, { capture: true });
    setTimeout(() => element.removeEventListener("click", swallow, { capture: true }));
  }

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = event;
    // At once: the first move may already be outside.
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (!start) return;
    if (!ghost) {
      if (Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < BEGINS_AFTER) return;
      ghost = make("span", { className: "ghost" });
      ghost.style.setProperty("--color", colorOf());
      document.body.append(ghost);
    }
    ghost.style.translate = `${event.clientX}px ${event.clientY}px`;
    aim(event);
  });
  element.addEventListener("pointerup", (event) => {
    if (ghost && target && target !== element) {
      const detail = { color: colorOf(), clientX: event.clientX, clientY: event.clientY };
      target.dispatchEvent(new CustomEvent("colordrop", { detail }));
    }
    if (ghost) swallowClick();
    end();
  });
  element.addEventListener("pointercancel", end);
  element.addEventListener("dragstart", (event) => event.preventDefault());
}
