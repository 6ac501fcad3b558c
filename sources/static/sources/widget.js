// The form that a shop puts into its page. One function: `sources.widget_views` adds the call, with
// what is public of the source. Nothing is written as HTML, for pages that forbid it.
(function (options) {
  "use strict";

  const TEXTS = {
    ru: {
      title: "Напишите нам",
      name: "Как к вам обращаться",
      phone: "Телефон",
      email: "Электронная почта",
      hint: "Достаточно телефона или почты.",
      message: "Сообщение",
      consent: "Даю согласие на обработку персональных данных на условиях ",
      policy: "политики конфиденциальности",
      send: "Отправить",
      close: "Закрыть",
      more: "Написать ещё",
      trap: "Не заполняйте это поле",
      sending: "Отправляем…",
      sent: "Спасибо! Мы получили ваше сообщение и скоро ответим.",
      wrong: "Проверьте отмеченные поля.",
      offline: "Нет связи с нами.",
      busy: "Сейчас слишком много сообщений.",
      again: (seconds) => ` Отправим ещё раз через ${seconds} с, не закрывайте страницу.`,
      failed: "Отправить не получилось. Текст остался в форме: нажмите «Отправить» ещё раз чуть позже.",
    },
    en: {
      title: "Write to us",
      name: "Your name",
      phone: "Telephone",
      email: "E-mail",
      hint: "A telephone number or an e-mail address is enough.",
      message: "Message",
      consent: "I agree to the processing of my personal data under the ",
      policy: "privacy policy",
      send: "Send",
      close: "Close",
      more: "Write another message",
      trap: "Leave this field empty",
      sending: "Sending…",
      sent: "Thank you! We have your message and will answer soon.",
      wrong: "Please check the marked fields.",
      offline: "We cannot be reached.",
      busy: "There are too many messages just now.",
      again: (seconds) => ` We will try again in ${seconds} s, please keep the page open.`,
      failed: "It could not be sent. Your text is still in the form: please press “Send” again a little later.",
    },
  };
  const STYLE = `
    :host { all: initial; font: 1em/1.45 system-ui, sans-serif; color: var(--ink);
      color-scheme: light dark; --paper: #fff; --ink: #16202e; --pale: #4b5768;
      --line: #7a8798; --accent: #1d4ed8; --on-accent: #fff; --bad: #b42318; }
    @media (prefers-color-scheme: dark) {
      :host { --paper: #18202c; --ink: #eef2f7; --pale: #b3bfce; --line: #7d8b9d; --accent: #93c5fd;
        --on-accent: #0b1a30; --bad: #ffb4a9; }
    }
    * { box-sizing: border-box; margin: 0; font: inherit; }
    [hidden] { display: none !important; }
    button { min-height: 2.75em; padding: .5em 1.25em; border: 0; border-radius: .625em;
      background: var(--accent); color: var(--on-accent); font-weight: 600; cursor: pointer; }
    button[aria-disabled=true] { opacity: .75; cursor: default; }
    .open { position: fixed; z-index: 2147483000; right: max(1em, env(safe-area-inset-right));
      bottom: max(1em, env(safe-area-inset-bottom)); max-width: calc(100vw - 2em);
      border-radius: 2em; box-shadow: 0 .25em 1em #0006; }
    dialog, .inline { padding: 1.4em; border: 1px solid var(--line); border-radius: 1em;
      background: var(--paper); color: var(--ink); }
    dialog { width: min(27em, 100vw - 1.5em); max-height: calc(100dvh - 1.5em); margin: auto;
      overflow: auto; overscroll-behavior: contain; box-shadow: 0 1em 3em #0006; }
    dialog::backdrop { background: #0009; }
    .inline { max-width: 34em; }
    header { display: flex; align-items: start; justify-content: space-between; gap: 1em; }
    h2 { font-size: 1.35em; font-weight: 700; overflow-wrap: anywhere; }
    .close { flex: none; width: 2.75em; margin: -.4em -.6em 0 0; padding: 0; background: none;
      color: var(--ink); font-size: 1.15em; }
    .close::before { content: "✕" / ""; }
    form { display: grid; gap: .9em; margin-top: .9em; }
    label { display: block; margin-bottom: .25em; font-weight: 600; }
    input, textarea { display: block; width: 100%; min-height: 2.75em; padding: .5em .75em;
      border: 1px solid var(--line); border-radius: .5em; background: var(--paper);
      color: var(--ink); }
    textarea { min-height: 6em; resize: vertical; }
    [aria-invalid=true] { border: 2px solid var(--bad); }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    .hint, .error { margin-top: .3em; color: var(--pale); font-size: .9em; }
    .error { color: var(--bad); }
    .error:empty, .status:empty { display: none; }
    .check { display: grid; grid-template-columns: auto 1fr; gap: 0 .75em; }
    .check input { width: 1.5em; min-height: 0; height: 1.5em; margin: 0; accent-color: var(--accent); }
    .check label { margin: 0; font-weight: 400; }
    .check .error { grid-column: 2; }
    a { color: var(--accent); text-decoration: underline; }
    .trap { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    .status { margin-top: .9em; }
    .status + button { margin-top: 1em; }
    .status.bad { color: var(--bad); }
    @media (prefers-reduced-motion: no-preference) {
      button { transition: filter .15s; }
      dialog[open] { animation: rise .2s ease-out; }
      @keyframes rise { from { opacity: 0; transform: translateY(1em); } }
    }
    @media (hover: hover) { button:not(.close):hover { filter: brightness(1.1); } }
    @media (forced-colors: active) { button { border: 1px solid; } }
    @media print { .open { display: none; } }
  `;
  // Seconds: nobody fills a form in faster than the first; and between one attempt and the next.
  const LEAST = 1.1;
  const WAITS = [2, 5, 15];
  const LONGEST_WAIT = 60;
  const PATIENCE = 20;

  const script = document.currentScript
    ?? document.querySelector(`script[src*="/sources/${options.code}/widget.js"]`);
  const address = new URL("webhook", script.src);
  const lang = [script.dataset.lang, document.documentElement.lang, ...navigator.languages]
    .map((each) => (each ?? "").slice(0, 2).toLowerCase()).find((each) => each in TEXTS) ?? "ru";
  const words = TEXTS[lang];
  const title = options.title || words.title;

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  function field(name, attributes, { tag = "input", hint = "" } = {}) {
    const described = `${name}-error${hint ? " hint" : ""}`;
    const control = make(tag, { id: name, name, "aria-describedby": described, ...attributes });
    return make("div", {},
      make("label", { for: name }, words[name]), control,
      ...(hint ? [make("p", { id: "hint", class: "hint" }, hint)] : []),
      make("p", { id: `${name}-error`, class: "error" }));
  }

  function consent() {
    const link = make("a", { href: options.privacy_url, target: "_blank", rel: "noopener" }, words.policy);
    return make("div", { class: "check" },
      make("input", { id: "consent", type: "checkbox", "aria-required": "true",
        "aria-describedby": "consent-error" }),
      make("label", { for: "consent" }, words.consent, link),
      make("p", { id: "consent-error", class: "error" }));
  }

  function trap() {
    return make("div", { class: "trap", "aria-hidden": "true" },
      make("label", { for: "website" }, words.trap),
      make("input", { id: "website", name: "website", tabindex: "-1", autocomplete: "off" }));
  }

  const status = make("p", { class: "status", role: "status", tabindex: "-1" });
  const submit = make("button", { type: "submit" }, words.send);
  const more = make("button", { type: "button", hidden: "" }, words.more);
  const form = make("form", { novalidate: "" },
    field("name", { autocomplete: "name", maxlength: 255 }),
    field("phone", { type: "tel", autocomplete: "tel", maxlength: 64 }, { hint: words.hint }),
    field("email", { type: "email", autocomplete: "email", maxlength: 254 }),
    field("message", { maxlength: 10000, rows: 4 }, { tag: "textarea" }),
    trap(),
    ...(options.privacy_url ? [consent()] : []),
    submit);
  let opened = performance.now();
  let busy = false;
  // What was last tried, and the id it has: tried again it has the same, and makes no second contact.
  let tried = { content: "", id: "" };

  function say(text, bad = false) {
    status.textContent = text;
    status.classList.toggle("bad", bad);
    if (text) {
      status.scrollIntoView({ block: "nearest" });
    }
  }

  function uuid() {
    // As crypto.randomUUID, which pages without TLS have not.
    return "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
      (digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (digit / 4)))).toString(16));
  }

  const pause = (seconds) => new Promise((resume) => setTimeout(resume, 1000 * seconds));

  // What was answered; null: nothing that could be read.
  async function post(body) {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), 1000 * PATIENCE);
    try {
      const answer = await fetch(address, {
        method: "POST", body, credentials: "omit", referrerPolicy: "no-referrer", signal: late.signal,
        headers: { "Content-Type": "application/json", "Accept-Language": lang },
      });
      return { status: answer.status, wait: Number(answer.headers.get("Retry-After")),
        errors: answer.status === 400 ? (await answer.json()).errors : [] };
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  async function insist(body) {
    for (const wait of WAITS) {
      const answer = await post(body);
      if (answer && answer.status !== 429 && answer.status < 500) {
        return answer;
      }
      const seconds = Math.min(answer?.wait || wait, LONGEST_WAIT);
      say((answer ? words.busy : words.offline) + words.again(seconds), true);
      await pause(seconds);
    }
    return post(body);
  }

  function mark(errors) {
    for (const place of form.querySelectorAll(".error")) {
      const control = form.querySelector(`#${place.id.replace("-error", "")}`);
      const found = errors.find((each) => each.attr === control.id);
      place.textContent = found?.detail ?? "";
      control.setAttribute("aria-invalid", Boolean(found));
    }
    form.querySelector("[aria-invalid=true]")?.focus();
  }

  function contentOf() {
    const given = Object.fromEntries(new FormData(form));
    return { ...given, consent: form.querySelector("#consent")?.checked ?? false };
  }

  async function send() {
    const given = contentOf();
    const content = JSON.stringify(given);
    if (content !== tried.content) {
      tried = { content, id: uuid() };
    }
    say(words.sending);
    mark([]);
    const passed = () => (performance.now() - opened) / 1000;
    await pause(LEAST - passed());
    const answer = await insist(JSON.stringify({ ...given, event_id: tried.id, seconds: passed() }));
    if (answer?.status === 200) {
      accepted();
    } else if (answer?.errors.some((each) => form.querySelector(`[id="${each.attr}-error"]`))) {
      say(words.wrong, true);
      mark(answer.errors);
    } else {
      say(words.failed, true);
    }
  }

  function accepted() {
    tried = { content: "", id: "" };
    form.reset();
    form.hidden = true;
    more.hidden = false;
    say(words.sent);
    status.focus();
  }

  function begin() {
    form.hidden = false;
    more.hidden = true;
    opened = performance.now();
    say("");
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) {
      return;
    }
    const controls = [...form.querySelectorAll("input, textarea")];
    const hold = (held) => {
      busy = held;
      submit.setAttribute("aria-disabled", held);
      controls.forEach((control) => { control.readOnly = held; });
    };
    hold(true);
    await send();
    hold(false);
  });
  more.addEventListener("click", () => {
    begin();
    form.querySelector("#name").focus();
  });

  function inDialog(root) {
    const close = make("button", { type: "button", class: "close", "aria-label": words.close });
    const opener = make("button", { type: "button", class: "open", "aria-haspopup": "dialog" }, title);
    const dialog = make("dialog", { "aria-labelledby": "title" },
      make("header", {}, make("h2", { id: "title" }, title), close), form, status, more);
    opener.addEventListener("click", () => {
      if (form.hidden) {
        begin();
      }
      opened = busy ? opened : performance.now();
      dialog.showModal();
      form.querySelector("#name").focus();
    });
    close.addEventListener("click", () => dialog.close());
    root.append(opener, dialog);
  }

  function show() {
    const place = script.dataset.inline && document.querySelector(script.dataset.inline);
    const host = make("mini-crm-form", { lang });
    const root = host.attachShadow({ mode: "open" });
    // Unlike a <style>, this needs no leave from the page's Content-Security-Policy.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    if (place) {
      root.append(make("section", { class: "inline", "aria-labelledby": "title" },
        make("h2", { id: "title" }, title), form, status, more));
    } else {
      inDialog(root);
    }
    (place || document.body).append(host);
    begin();
  }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", show);
  } else {
    show();
  }
})
