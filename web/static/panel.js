// The door's panel: shows the station's status and events, presses its buttons.

import { $, clockTime, duration, icon, make, sentence, write } from "./dom.js";

const lights = {
  idle: "Press to call",
  calling: "Calling",
  talking: "Please speak",
  opened: "Door is open",
  fault: "Out of order",
  offline: "Station out of reach",
};

const silence = -60; // dBFS, the meter's left end
const kept = 100; // entries of the journal

let status = null;

const keys = [..."123456789*0#"];
const keyNames = { "*": "Code, or clear", "#": "Confirm" };

export function startPanel() {
  follow();
  startKeypad();
  $("panel-hangup").addEventListener("click", () => act("/api/hangup"));
  setInterval(showCall, 1000);
}

// The keypad is one stop on the way from the door's button to the phone's: Tab passes it,
// arrows move within it, and where it has the focus a keyboard's own keys type.
function startKeypad() {
  const pad = $("keypad");
  const buttons = keys.map((key) => {
    const button = make("button", { type: "button", class: "key", "data-key": key, "aria-label": keyNames[key] ?? key }, key === "*" ? "✱" : key);
    button.addEventListener("click", () => type(key));
    return button;
  });
  pad.append(...buttons);
  const stopAt = (here) => buttons.forEach((b) => (b.tabIndex = b === here ? 0 : -1));
  stopAt(buttons[0]);
  pad.addEventListener("focusin", ({ target }) => stopAt(target));
  pad.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -3, ArrowDown: 3 }[event.key];
    if (step) buttons[buttons.indexOf(event.target) + step]?.focus();
    else if (!keys.includes(event.key)) return;
    else {
      buttons[keys.indexOf(event.key)].focus();
      type(event.key);
    }
    event.preventDefault();
  });
}

// follow keeps a stream of events open for ever. The browser itself opens one that broke
// again, but not one that was refused.
function follow() {
  const stream = new EventSource("/api/events");
  // Each stream begins with the last events: what is shown of them already goes.
  stream.addEventListener("open", () => $("journal").replaceChildren());
  stream.addEventListener("status", (message) => showStatus(JSON.parse(message.data)));
  stream.addEventListener("event", (message) => addToJournal(JSON.parse(message.data)));
  stream.addEventListener("error", () => {
    showOffline();
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  });
}

// Keys are typed in the order they were pressed, however long each of them takes.
let typing = Promise.resolve();

function type(keys) {
  typing = typing.then(() => act("/api/type", { keys }));
}

let complaint;

async function act(path, body) {
  clearTimeout(complaint);
  write($("panel-error"), "");
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body && JSON.stringify(body),
    });
    if (response.ok) return;
    const answer = await response.json().catch(() => ({}));
    complain(answer.error ?? `The station answered ${response.status}.`);
  } catch {
    complain("The station is out of reach.");
  }
}

function complain(text) {
  write($("panel-error"), sentence(text));
  complaint = setTimeout(() => write($("panel-error"), ""), 8000);
}

function showOffline() {
  status = null;
  $("panel").dataset.state = "offline";
  showLight("offline");
  $("link").dataset.up = "false";
  write($("link-text"), "Unknown");
  write($("link-detail"), "");
  showCamera(false);
  showLevel({ on: false });
  showCall();
}

function showStatus(now) {
  status = now;
  $("panel").dataset.state = now.state;
  showLight(now.light);
  showButtons(now.buttons ?? []);
  showKeypad(now);
  showLocks(now.locks ?? []);
  showCamera(now.camera);
  showLevel(now.speaker);
  showLink(now.link);
  showCall();
  showHealth(now.health ?? []);
  write($("version"), now.version ? `Version ${now.version}` : "");
}

function showLight(light) {
  $("light").dataset.light = light;
  const words = status?.state === "incoming" ? "A resident is calling" : light === "idle" && status?.keypad ? "Welcome" : lights[light];
  write($("light-text"), status?.says || words || light);
}

// showKeypad shows what is typed, and while somebody types the flats in place of the buttons.
function showKeypad({ state, keypad = false, typed = "", flats = [] }) {
  const directory = $("directory");
  $("panel").dataset.keypad = String(keypad);
  $("keypad").hidden = !keypad;
  write($("typed"), typed.replaceAll("*", "•"));
  directory.hidden = state !== "dialling" || typed !== "" || flats.length === 0;
  $("buttons").hidden = !directory.hidden;
  if (same(directory, flats)) return;
  directory.replaceChildren(
    ...flats.map(({ name, label, dialled }) => {
      const text = [make("span", { class: "label" }, label || name), make("span", { class: "number" }, label ? name : "")];
      if (!dialled) return make("li", {}, make("p", {}, ...text));
      const button = make("button", { type: "button", "data-flat": name }, ...text);
      button.addEventListener("click", () => type(`${name}#`));
      return make("li", {}, button);
    }),
  );
}

// same tells whether a list is as it was drawn: nodes that have the focus must stay.
function same(node, value) {
  const drawn = JSON.stringify(value);
  if (node.dataset.drawn === drawn) return true;
  node.dataset.drawn = drawn;
  return false;
}

function showButtons(buttons) {
  const group = $("buttons");
  if (same(group, buttons)) return;
  group.dataset.count = buttons.length;
  group.replaceChildren(
    ...buttons.map(({ name, label }) => {
      const button = make("button", { type: "button", class: "bell", "data-button": name }, make("span", { class: "cap", "aria-hidden": "true" }), make("span", { class: "label" }, label || name));
      button.addEventListener("click", () => act("/api/press", { name }));
      return button;
    }),
  );
}

function showLocks(locks) {
  const group = $("locks");
  if (same(group, locks)) return;
  group.replaceChildren(
    ...locks.map(({ name, open }) =>
      make(
        "article",
        { class: "tile lock", "data-lock": name, "data-open": String(open) },
        make("h3", {}, icon(open ? "lock-open" : "lock"), locks.length > 1 ? name : "Lock"),
        make("p", { class: "value" }, open ? "Open" : "Locked"),
        make("p", { class: "detail" }, open ? "Locks again by itself" : locks.length > 1 ? "" : name),
      ),
    ),
  );
}

function showCamera(on) {
  $("camera").dataset.on = String(on);
  write($("camera-text"), on ? "Camera on" : "Camera off");
}

function showLevel({ on, dbfs = -100, frequency = 0 }) {
  const speaker = $("speaker");
  speaker.dataset.on = String(on);
  speaker.dataset.dbfs = dbfs;
  speaker.dataset.frequency = frequency;
  const level = on ? Math.min(0, Math.max(silence, dbfs)) : silence;
  const heard = on && dbfs > silence;
  let text = "Off";
  if (heard) text = `${dbfs.toFixed(0)} dBFS`;
  else if (on) text = "Silent";
  write($("speaker-text"), text.replace("-", "−"));
  write($("speaker-frequency"), heard && frequency > 0 ? `${frequency.toFixed(0)} Hz` : "");
  const share = 1 - level / silence;
  $("panel").style.setProperty("--level", share.toFixed(3));
  $("meter").setAttribute("aria-valuenow", level.toFixed(0));
  $("meter").setAttribute("aria-valuetext", text);
}

function showLink({ up, since, reason }) {
  $("link").dataset.up = String(up);
  write($("link-text"), up ? "Connected" : "Offline");
  write($("link-detail"), up ? `since ${clockTime(new Date(since))}` : (reason ?? "trying again"));
  $("link-detail").title = reason ?? "";
}

function showCall() {
  let text = "None";
  let detail = "";
  const call = status?.call;
  if (!status) text = "Unknown";
  else if (call || status.state !== "idle") {
    const who = status.residents?.find(({ id }) => id === call?.user)?.name ?? (call?.user ? `User ${call.user}` : "the residents");
    text = { dialling: "Dialling", waiting: "Waiting", calling: "Ringing", incoming: `From ${who}`, talking: `With ${who}` }[status.state] ?? status.state;
    const facts = [call?.codec?.replace("video/", ""), status.state === "talking" && !call?.media ? "no media yet" : ""];
    if (status.flat && status.state !== "talking") facts.unshift(status.flat);
    if (call) facts.unshift(duration(Date.now() - new Date(call.since)));
    detail = facts.filter(Boolean).join(" · ");
  }
  write($("call-text"), text);
  write($("call-detail"), detail);
}

function showHealth(conditions) {
  const list = $("health");
  if (same(list, conditions)) return;
  list.dataset.well = String(conditions.length === 0);
  if (conditions.length === 0) {
    list.replaceChildren(make("li", {}, make("strong", {}, "All is well")));
    return;
  }
  list.replaceChildren(
    ...conditions.map(({ name, text, since }) => make("li", { "data-condition": name }, make("strong", {}, sentence(name)), ` ${text} `, make("span", { class: "quiet" }, `since ${clockTime(new Date(since))}`))),
  );
}

function addToJournal({ time, type, name, text, reason }) {
  const journal = $("journal");
  const at = new Date(time);
  const entry = make("li", { "data-type": type }, make("time", { datetime: time }, clockTime(at, true)), make("span", {}, sentence(text || [type.replaceAll("_", " "), name, reason].filter(Boolean).join(": "))));
  if (name) entry.dataset.name = name;
  if (reason) entry.dataset.reason = reason;
  journal.prepend(entry);
  while (journal.children.length > kept) journal.lastChild.remove();
}
