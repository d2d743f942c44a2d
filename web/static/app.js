// Starts the two halves of the page. They do not know each other: the door's panel talks
// to the station that served the page, the phone talks to the chat server.

import { startPanel } from "./panel.js";
import { startPhone } from "./phone.js";

// On a narrow screen one half shows at a time.
function show(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === view));
  }
}

// phoneConfig is null where the page has no phone; the server has marked the page then.
async function phoneConfig() {
  for (let wait = 1000; ; wait = Math.min(2 * wait, 15000)) {
    try {
      const response = await fetch("/api/phone");
      if (response.ok) return await response.json();
    } catch {
      // The panel says that the station is out of reach.
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

startPanel();
for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => show(button.dataset.show));
}
const config = await phoneConfig();
if (config) startPhone(config, { rings: () => show("phone") });
