// Select2 names its box by what is chosen; while nothing is, it has no name for a screen reader. The
// field in the box of several has none either.
"use strict";

(function () {
  function nameOf(select) {
    const label = document.querySelector(`label[for="${select.id}"]`);
    const column = select.closest("td")?.dataset.label;
    return select.getAttribute("aria-label") || label?.textContent.trim() || column || select.name;
  }

  function nameAll() {
    for (const field of document.querySelectorAll(".select2-search--inline [role=searchbox]")) {
      const select = field.closest(".select2-container").previousElementSibling;
      if (!field.getAttribute("aria-label")) field.setAttribute("aria-label", nameOf(select));
    }
    for (const box of document.querySelectorAll(".select2-selection[role=combobox]")) {
      const select = box.closest(".select2-container")?.previousElementSibling;
      if (select && select.tagName === "SELECT" && !box.getAttribute("aria-label")) {
        box.setAttribute("aria-label", nameOf(select));
        box.removeAttribute("aria-labelledby");
        box.querySelector("[role=textbox]")?.setAttribute("aria-label", nameOf(select));
      }
    }
  }

  document.addEventListener("DOMContentLoaded", function () {
    // Boxes are made when the page is ready, and with every row that is added.
    new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
    nameAll();
  });
})();
