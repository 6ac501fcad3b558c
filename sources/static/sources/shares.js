// Beside each weight the share of the next contact that it gives, while somebody types.
"use strict";

(function () {
  const percent = new Intl.NumberFormat(document.documentElement.lang, {
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  });

  function rowsOf(group) {
    return [...group.querySelectorAll("input[name^='assignments-'][name$='-weight']")]
      .filter((input) => !input.name.includes("__prefix__"))
      .map((input) => {
        const row = input.closest("tr");
        const deleted = row.querySelector("input[name$='-DELETE']");
        const output = row.querySelector(".crm-share");
        const isNew = row.querySelector("input[name$='-id']")?.value === "";
        const counts = output && (isNew || output.dataset.available) && !(deleted && deleted.checked);
        return { output, weight: counts ? Math.max(0, Number(input.value) || 0) : 0, counts };
      });
  }

  // On an operator's page each row stands for itself, beside the others of its source.
  function showBesideOthers(rows) {
    for (const { output, weight, counts } of rows) {
      if (output && output.dataset.others) {
        const whole = weight + Number(output.dataset.others);
        output.value = counts && whole ? `${percent.format((100 * weight) / whole)} %` : "—";
      }
    }
  }

  function show(group) {
    const rows = rowsOf(group);
    if (rows.some(({ output }) => output && output.dataset.others)) {
      showBesideOthers(rows);
      return;
    }
    const whole = rows.reduce((sum, row) => sum + row.weight, 0);
    for (const { output, weight, counts } of rows) {
      if (output) {
        output.value = counts && whole ? `${percent.format((100 * weight) / whole)} %` : "—";
      }
    }
  }

  document.addEventListener("DOMContentLoaded", function () {
    const group = document.getElementById("assignments-group");
    const strategy = document.getElementById("id_strategy");
    if (!group || !group.querySelector(".crm-share")) {
      return;
    }
    const byWeight = () => !strategy || strategy.value !== "least_loaded";
    const update = () => byWeight() && show(group);
    for (const event of ["input", "change", "formset:added", "formset:removed"]) {
      document.addEventListener(event, update);
    }
  });
})();
