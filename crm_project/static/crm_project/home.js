// Keeps the figures of the page as they are now.
"use strict";

const rows = document.getElementById("operators");

function cell(content) {
  const td = document.createElement("td");
  td.append(content);
  return td;
}

function operatorRow(operator) {
  const meter = document.createElement("meter");
  meter.max = operator.max_active_contacts;
  // Of another colour when it is full.
  meter.high = meter.max - 1;
  meter.value = operator.current_load;
  meter.textContent = `${operator.load_percentage} %`;
  const tr = document.createElement("tr");
  if (!operator.is_active) tr.className = "inactive";
  const note = operator.is_active ? "" : ` (${rows.dataset.inactive})`;
  tr.append(
    cell(operator.operator_name + note),
    cell(operator.current_load),
    cell(operator.max_active_contacts),
    cell(meter),
  );
  return tr;
}

async function refresh() {
  const answer = await fetch("/stats").catch(() => null);
  if (!answer || !answer.ok) return;
  const stats = await answer.json();
  for (const figure of document.querySelectorAll("[data-figure]")) {
    figure.textContent = stats[figure.dataset.figure];
  }
  if (stats.operators.length) rows.replaceChildren(...stats.operators.map(operatorRow));
}

setInterval(refresh, 3000);
