// The phone's screen: draws what phone.js tells it to. It decides nothing.

import { $, clockTime, make, setIcon, write } from "./dom.js";

const buttons = ["decline", "mute", "open", "hangup", "answer", "calldoor", "retry", "leave", "sound"];

export class Screen {
  #root = $("phone");
  #video = $("video");

  // on has a function for each button, by id, and choose(login).
  constructor(residents, on) {
    for (const id of buttons) $(id).addEventListener("click", () => on[id]());
    $("residents").append(
      ...residents.map(({ login, name }) => {
        const button = make("button", { type: "button", "data-resident": login }, make("span", { class: "initials", "aria-hidden": "true" }, initials(name || login)), make("span", {}, name || login));
        button.addEventListener("click", () => on.choose(login));
        return make("li", {}, button);
      }),
    );
    const tick = () => write($("clock"), clockTime(new Date()));
    tick();
    setInterval(tick, 5000);
  }

  // show draws: state, media, link, who, title, detail, buttons (the ids to show), choose
  // (whether to list residents), busy, muted, opening, notice and receipt.
  show(view) {
    const { dataset } = this.#root;
    const focused = document.activeElement;
    dataset.state = view.state;
    dataset.media = view.media;
    dataset.link = view.link;
    dataset.busy = String(view.busy);
    write($("whoami"), view.who);
    write($("net-text"), { up: "Connected", down: "Not connected" }[view.link]);
    write($("phone-text"), view.title);
    write($("phone-detail"), view.detail);
    $("residents").hidden = !view.choose;
    for (const id of buttons) $(id).hidden = !view.buttons.includes(id);
    // Whoever used a button that is gone goes on from the next ones, and presses none of
    // them by holding the key.
    if (this.#root.contains(focused) && !focused.checkVisibility()) $("controls").focus();
    // Not "disabled": a button that is takes the focus away from whoever pressed it.
    for (const id of ["answer", "calldoor"]) $(id).setAttribute("aria-disabled", String(view.busy));
    $("open").setAttribute("aria-disabled", String(view.opening));
    const mute = $("mute");
    mute.setAttribute("aria-pressed", String(view.muted));
    setIcon(mute, view.muted ? "mic-off" : "mic");
    write(mute.querySelector("span"), view.muted ? "Muted" : "Mute");
    message($("receipt"), "event", view.receipt?.event, view.receipt?.text);
    message($("notice"), "kind", view.notice?.kind, view.notice?.text);
  }

  // play shows a stream and calls shown once, with its first frame on the screen. It
  // gives false where the browser wants a gesture before it lets sound out.
  async play(stream, shown) {
    if (this.#video.srcObject === stream) return true;
    this.#video.srcObject = stream;
    if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(shown);
    else this.#video.addEventListener("loadeddata", shown, { once: true });
    return this.unmute();
  }

  async unmute() {
    this.#video.muted = false;
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") return true; // interrupted by the call's end
      this.#video.muted = true;
      await this.#video.play().catch(() => {});
      return false;
    }
    return true;
  }

  blank() {
    this.#video.srcObject = null;
  }
}

function message(node, key, kind, text) {
  if (kind) node.dataset[key] = kind;
  else delete node.dataset[key];
  write(node, text ?? "");
}

function initials(name) {
  const words = name.trim().split(/\s+/);
  return (words[0][0] + (words.length > 1 ? words.at(-1)[0] : "")).toUpperCase();
}
