// Fetches the parts of the page again while somebody looks, and replaces what has changed.
"use strict";

const offline = document.getElementById("board-offline");

// What the reader has done to a part: opened, focused, scrolled.
function keep(old, fresh) {
  for (const details of old.querySelectorAll("details[id]")) {
    const its = fresh.querySelector(`#${details.id}`);
    if (its) its.open = details.open;
  }
  const focused = old.contains(document.activeElement) && document.activeElement;
  const places = [...old.querySelectorAll("a, summary, [tabindex]")];
  const place = places.indexOf(focused);
  const same = (element) =>
    focused && element.tagName === focused.tagName && element.getAttribute("href") === focused.getAttribute("href");
  const scrolls = [...old.querySelectorAll(".board-scroll")].map((each) => [each.scrollLeft, each.scrollTop]);
  return () => {
    const now = [...fresh.querySelectorAll("a, summary, [tabindex]")];
    const again = focused && (same(now[place] ?? focused) ? now[place] : now.find(same));
    if (again) again.focus({ preventScroll: true });
    fresh.querySelectorAll(".board-scroll").forEach((each, index) => {
      if (scrolls[index]) [each.scrollLeft, each.scrollTop] = scrolls[index];
    });
  };
}

// The elements of the part as they came from the server, by id: those alike are left alone.
const came = new Map();

function replace(part, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = [...template.content.children];
  const y = window.scrollY;
  const restore = [];
  const kept = fresh.map((element) => {
    const text = element.outerHTML;
    const old = element.id && part.querySelector(`:scope > #${element.id}`);
    if (old && came.get(element.id) === text) return old;
    if (old) restore.push(keep(old, element));
    came.set(element.id, text);
    return element;
  });
  const stays = new Set(kept);
  for (const element of [...part.children]) if (!stays.has(element)) element.remove();
  kept.forEach((element, index) => {
    if (part.children[index] !== element) part.insertBefore(element, part.children[index] ?? null);
  });
  restore.forEach((each) => each());
  window.scrollTo({ top: y, behavior: "instant" });
}

async function refresh(part) {
  const answer = await fetch(part.dataset.refresh, { signal: AbortSignal.timeout(20000) }).catch(() => null);
  // Signed out, or no longer allowed: the page itself tells what to do.
  if (answer && (answer.redirected || answer.status === 403)) return location.reload();
  const html = answer?.ok ? await answer.text().catch(() => null) : null;
  const time = document.querySelector("[data-shown]").textContent;
  const notice = html === null ? offline.dataset.text.replace("{time}", time) : "";
  if (offline.textContent !== notice) offline.textContent = notice;
  if (html !== null) replace(part, html);
}

function watch(part) {
  const milliseconds = part.dataset.seconds * 1000;
  let due = Date.now() + (part.querySelector("[data-incomplete]") ? 1000 : milliseconds);
  let busy = false;
  const look = async () => {
    if (busy || document.hidden || Date.now() < due) return;
    busy = true;
    await refresh(part);
    // A part that came incomplete has the rest soon.
    due = Date.now() + (part.querySelector("[data-incomplete]") ? 1000 : milliseconds);
    busy = false;
  };
  setInterval(look, 1000);
  document.addEventListener("visibilitychange", look);
}

document.querySelectorAll("[data-refresh]").forEach(watch);
