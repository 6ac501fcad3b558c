// Select2 names its box by what is chosen; while nothing is, it has no name for a screen reader.
"use strict";

(function () {
  function nameOf(select) {
    const label = document.querySelector(`label[for="${select.id}"]`);
    const column = select.closest("td")?.dataset.label;
    return select.getAttribute("aria-label") || label?.textContent.trim() || column || select.name;
  }

  function nameAll() {
    for (const box of document.querySelectorAll(".select2-selection[role=combobox]")) {
      const select = box.closest(".select2-container")?.previousElementSibling;
      if (select && select.tagName === "SELECT" && !box.getAttribute("aria-label")) {
        box.setAttribute("aria-label", nameOf(select));
        box.removeAttribute("aria-labelledby");
        box.querySelector("[role=textbox]")?.setAttribute("aria-label", nameOf(select));
      }
    }
  }

  window.addEventListener("load", nameAll);
  document.addEventListener("formset:added", () => setTimeout(nameAll));
})();
