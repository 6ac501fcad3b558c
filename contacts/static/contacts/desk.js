// Keeps the desk as it stands on the server, without touching what somebody reads or points at.
(() => {
  const PAUSE_MS = 7000;
  const desk = document.getElementById("desk");
  const note = document.getElementById("desk-note");
  const stale = document.getElementById("desk-stale");
  if (!desk) return;
  const list = desk.querySelector("ol");
  let asking = false;

  const inUse = (element) => element.contains(document.activeElement);

  // The element to show: the known one for as long as it is the same, or in use.
  function newer(known, fresh) {
    if (!known) return fresh;
    const age = known.querySelector("[data-age]");
    if (age) age.textContent = fresh.querySelector("[data-age]").textContent;
    if (known.dataset.version === fresh.dataset.version || inUse(known)) return known;
    if (known.querySelector("details[open]")) fresh.querySelector("details").open = true;
    known.replaceWith(fresh);
    return fresh;
  }

  function mergeCards(fresh) {
    const gone = new Map([...list.children].map((card) => [card.dataset.key, card]));
    const arrived = [];
    const wanted = [...fresh.children].map((card) => {
      const known = gone.get(card.dataset.key);
      gone.delete(card.dataset.key);
      if (!known) arrived.push(card);
      return newer(known, card);
    });
    for (const card of gone.values()) if (!inUse(card)) card.remove();
    let place = list.firstElementChild;
    for (const card of wanted) {
      if (card === place || inUse(card)) place = card.nextElementSibling;
      else list.insertBefore(card, place);
    }
    return arrived;
  }

  function announce(cards) {
    if (!cards.length) return;
    note.replaceChildren(note.dataset.arrived);
    for (const card of cards) {
      card.classList.add("desk-arrived");
      const link = document.createElement("a");
      link.href = `#${card.id}`;
      link.textContent = card.dataset.name;
      note.append(" ", link);
    }
  }

  function show(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("desk");
    if (!fresh) return;
    for (const part of fresh.querySelectorAll("section, .desk-after")) {
      newer(desk.querySelector(`[data-key="${part.dataset.key}"]`), part);
    }
    announce(mergeCards(fresh.querySelector("ol")));
    const title = document.title.replace(/^\s*\(\d+\)\s*/, "");
    document.title = fresh.dataset.new === "0" ? title : `(${fresh.dataset.new}) ${title}`;
  }

  async function refresh() {
    if (asking || document.hidden) return;
    asking = true;
    try {
      const answer = await fetch(desk.dataset.url, { signal: AbortSignal.timeout(PAUSE_MS * 2) });
      // Signed out, or no operator any more: the page itself says so.
      if (answer.redirected || answer.status === 403) return location.reload();
      if (!answer.ok) throw new Error(answer.status);
      show(await answer.text());
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    } finally {
      asking = false;
    }
  }

  note.addEventListener("click", (event) => {
    if (event.target.closest("a")) setTimeout(() => note.replaceChildren());
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, PAUSE_MS);
})();
