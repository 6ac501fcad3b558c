// Copies texts of the page; without this, they can be selected by hand.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);

  async function copy() {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      // Without HTTPS, or not allowed: the older way, which takes what is selected.
      if (!document.execCommand("copy")) return;
    }
    document.getElementById("copy-status").textContent = button.dataset.copied;
  }

  button.hidden = false;
  button.addEventListener("click", copy);
}
