/** The key of a service that wants one. */

import { Problem } from "./api.js";
import { byId } from "./dom.js";

/** Ask for the key until there is one, or until it is clear that there is none. */
export function askForKey(hadOne) {
  const dialog = byId("key-dialog");
  const input = byId("key");
  if (hadOne) byId("key-note").textContent = "This key is not known to the service. Is it complete?";
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "use" && input.value.trim()) resolve(input.value.trim());
      else reject(new Problem({ title: "This service wants a key", detail: "Without one it colours nothing." }));
    }, { once: true });
  });
}
