// Imports part after part without a click for each; without this, the button does it.
"use strict";

const RETRIES = 5;

function page() {
  return document.getElementById("import");
}

async function next(form) {
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
  if (!answer.ok) throw new Error(answer.statusText);
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  const shown = parsed.getElementById("import");
  if (!shown) throw new Error("signed out");
  page().replaceChildren(...shown.childNodes);
  // Whoever hears the page is told of the end, not of every part.
  const finished = page().querySelector("[data-finished]");
  if (finished) document.getElementById("import-status").textContent = finished.textContent;
}

async function goOn() {
  let failures = 0;
  for (let form; (form = page().querySelector("[data-auto]")) && failures < RETRIES; ) {
    try {
      await next(form);
      failures = 0;
    } catch {
      failures += 1;
      await new Promise((resolve) => setTimeout(resolve, 1000 * failures));
    }
  }
}

document.addEventListener("change", ({ target }) => {
  const { most, tooLarge } = target.dataset;
  if (!most) return;
  // Told before it is sent: the server stops reading what is far too large.
  target.setCustomValidity(target.files[0]?.size > Number(most) ? tooLarge : "");
  target.reportValidity();
});
document.addEventListener("submit", (event) => {
  const busy = event.target.querySelector("[data-busy]");
  if (busy) busy.hidden = false;
});
goOn();
