// A resident's phone on the QuickBlox SDK, as an app's author would write it: one call at
// a time, with the door, in either direction.

import { duration } from "./dom.js";
import { request, take } from "./key.js";
import { outgoing } from "./media.js";
import { Ring } from "./ring.js";
import { Screen } from "./screen.js";
import { SignInError, connect, load, signIn } from "./sdk.js";

const receiptLimit = 5000; // for the door to say what became of "open"
const mediaLimit = 20000; // for a picture after the answer
const noticeStays = 8000;

const shows = {
  offline: ["retry", "leave"],
  connecting: ["leave"],
  ready: ["calldoor", "leave"],
  ringing: ["decline", "answer"],
  calling: ["hangup"],
  talking: ["mute", "open", "hangup"],
};

export function startPhone(config, { rings }) {
  const phone = new Phone(config, rings);
  phone.start();
}

class Phone {
  #config;
  #rings; // tells the page that the phone rings
  #screen;
  #ring;
  #tone; // Hz, in place of the microphone
  #QB = null;
  #who = null; // the resident
  #link = "down"; // down, connecting, up
  #linkText = "";
  #failure = ""; // why the phone stays offline
  // The call: session, phase (ringing, calling, talking), busy (waiting for the
  // microphone), media (what is sent), live (a frame was shown), since, muted, trouble.
  #call = null;
  #notice = null;
  #receipt = null;
  #soundBlocked = false;
  #timers = {};

  constructor(config, rings) {
    this.#config = config;
    this.#rings = rings;
    this.#tone = Number(new URLSearchParams(location.search).get("tone")) || 0;
    this.#screen = new Screen(config.residents, {
      choose: (login) => this.#choose(login),
      answer: () => this.#answer(),
      decline: () => this.#decline(),
      hangup: () => this.#hangUp(),
      calldoor: () => this.#callDoor(),
      open: () => this.#openDoor(),
      mute: () => this.#mute(),
      sound: () => this.#allowSound(),
      retry: () => this.#signIn(),
      leave: () => location.assign(location.pathname),
    });
    this.#ring = new Ring((blocked) => this.#blockSound(blocked));
    setInterval(() => this.#call && this.#draw(), 1000);
  }

  async start() {
    if (!this.#config.sdk) {
      const folder = this.#config.sdkFolder || "the folder that the page is given";
      this.#fail(`Get it with “npm pack quickblox@2.23.0”, put its quickblox.min.js into ${folder}, and load this page again. “make demo” does all that.`);
      return;
    }
    const paired = take();
    if (paired) this.#notify("info", "This phone is paired: it opens with its key.");
    const login = new URLSearchParams(location.search).get("as") ?? this.#config.residents.find((r) => r.id === paired)?.login;
    if (login) this.#choose(login);
    else this.#draw();
  }

  // Signing in.

  #choose(login) {
    const who = this.#config.residents.find((r) => r.login === login);
    if (!who) {
      this.#notify("error", `There is no resident “${login}”.`);
      return;
    }
    this.#who = who;
    const address = new URL(location);
    address.searchParams.set("as", login); // a reload is the same person
    history.replaceState(null, "", address);
    this.#signIn();
  }

  async #signIn() {
    this.#failure = "";
    this.#setLink("connecting", `Signing in as ${this.#name()}`);
    for (let wait = 2; ; wait = Math.min(2 * wait, 15)) {
      try {
        this.#QB ??= await this.#load();
        const userId = await signIn(this.#QB, this.#who);
        connect(this.#QB, { userId, password: this.#who.password }, {
          up: () => this.#setLink("up", ""),
          down: (why) => this.#setLink("connecting", why),
          refused: (error) => this.#fail(error.message),
        });
        return;
      } catch (error) {
        if (error instanceof SignInError) return this.#fail(error.message);
        for (let left = wait; left > 0; left--) {
          this.#setLink("connecting", `${error.message} Trying again in ${left} s`);
          await new Promise((done) => setTimeout(done, 1000));
        }
      }
    }
  }

  async #load() {
    const QB = await load(this.#config);
    Object.assign(QB.webrtc, {
      onCallListener: (session, info) => this.#onCall(session, info),
      onAcceptCallListener: (session) => this.#onAccept(session),
      onRejectCallListener: (session, _user, info) => this.#finish(session, "warning", said("The door declined the call", info)),
      onStopCallListener: (session, _user, info) => this.#onStop(session, info),
      onUpdateCallListener: (session, _user, info) => this.#onUpdate(session, info),
      onUserNotAnswerListener: (session) => this.#finish(session, "warning", "The door did not answer."),
      onRemoteStreamListener: (session, _user, stream) => this.#onStream(session, stream),
      onSessionConnectionStateChangedListener: (session, _user, state) => this.#onConnection(session, state),
      onReconnectListener: (session, _user, state) => this.#onReconnect(session, state),
      onSessionCloseListener: (session) => this.#onClose(session),
      onInvalidEventsListener: (name, session, user) => console.info("intercom: ignored", name, "from", user, session?.ID ?? session),
    });
    window.intercom = { QB, session: () => this.#call?.session ?? null };
    window.addEventListener("pagehide", () => this.#goAway());
    // A page out of the back/forward cache has lost its link.
    window.addEventListener("pageshow", (event) => event.persisted && location.reload());
    return QB;
  }

  #goAway() {
    const ringing = this.#call?.phase === "ringing";
    this.#end((session) => (ringing ? session.reject({}) : session.stop({})));
    this.#QB.chat.disconnect();
  }

  #setLink(link, text) {
    this.#link = link;
    this.#linkText = text;
    this.#draw();
  }

  #fail(why) {
    this.#failure = why;
    this.#setLink("down", "");
  }

  // Calls: what the SDK tells.

  #onCall(session, info) {
    mark("call-received", session);
    if (this.#call) {
      // The SDK refuses a second call by itself, but not while the microphone opens for a
      // call of our own. It makes what reject needs after this listener.
      setTimeout(() => session.reject({}));
      return;
    }
    this.#call = { session, phase: "ringing", challenge: info?.challenge ?? "" };
    this.#clearMessages();
    this.#ring.start();
    this.#rings();
    this.#draw();
  }

  #onAccept(session) {
    if (!this.#is(session, "calling")) return;
    this.#talk();
  }

  #onStop(session, info) {
    let text = "The door hung up.";
    if (info?.reason) text = said("The call is over", info);
    else if (this.#is(session, "ringing")) text = "The call is over: the visitor left, or somebody else answered.";
    this.#finish(session, "info", text);
  }

  #onUpdate(session, info) {
    if (session !== this.#call?.session) return;
    if (info.answeredElsewhere && this.#is(session, "ringing")) {
      // The SDK would ring on. The door is bound to the phone that answered: it does not mind.
      this.#finish(session, "info", "Answered on another device.");
      session.reject({});
      return;
    }
    if (info.challenge) this.#call.challenge = info.challenge;
    if (info.reason === "the challenge is too old" && !this.#call.renewed) {
      this.#call.renewed = true; // the answer has brought another one
      this.#ask();
    } else if (info.event === "opened") this.#setReceipt("opened", "The door is open");
    else if (info.event === "refused") this.#setReceipt("refused", said("The door stays shut", info));
  }

  #onStream(session, stream) {
    if (session !== this.#call?.session || !stream) return;
    const call = this.#call;
    const shown = () => {
      mark("first-frame", session);
      if (call !== this.#call || call.live) return;
      call.live = true;
      clearTimeout(this.#timers.media);
      this.#draw();
    };
    this.#screen.play(stream, shown).then((sounds) => this.#blockSound(!sounds && call === this.#call));
  }

  #onConnection(session, state) {
    if (session !== this.#call?.session) return;
    const { CONNECTED, COMPLETED, DISCONNECTED, FAILED } = this.#QB.webrtc.SessionConnectionState;
    if (state === CONNECTED || state === COMPLETED) {
      this.#call.since ??= Date.now();
      this.#call.trouble = "";
    } else if (state === DISCONNECTED || state === FAILED) {
      this.#call.trouble = "Reconnecting";
    }
    this.#draw();
  }

  #onReconnect(session, state) {
    if (session !== this.#call?.session) return;
    if (state === "reconnecting") this.#call.trouble = "Reconnecting";
    else if (state === "reconnected") this.#call.trouble = "";
    else if (state === "failed" && this.#call.trouble) this.#call.lost = true; // onClose follows
    this.#draw();
  }

  #onClose(session) {
    if (session !== this.#call?.session) return;
    if (this.#call.phase === "ringing") this.#finish(session, "info", "Missed: nobody answered.");
    else if (this.#call.lost) this.#finish(session, "error", "The connection to the door was lost.");
    else this.#finish(session, "info", "The call is over.");
  }

  // Calls: what the person does.

  async #answer() {
    const call = this.#call;
    if (call?.phase !== "ringing" || call.busy) return;
    mark("answer", call.session);
    if (this.#link !== "up") return this.#notify("error", "The server is out of reach: the answer would be lost.");
    this.#ring.stop();
    if (!(await this.#takeMedia(call))) return;
    try {
      call.session.localStream = call.media.stream;
      mark("accept", call.session);
      call.session.accept({});
    } catch (error) {
      this.#finish(call.session, "error", `The call could not be answered: ${error.message}.`);
      return;
    }
    this.#talk();
  }

  async #callDoor() {
    if (this.#call || this.#link !== "up") return;
    const call = (this.#call = { session: null, phase: "calling" });
    this.#clearMessages();
    if (!(await this.#takeMedia(call))) return;
    try {
      call.session = this.#QB.webrtc.createNewSession([this.#config.door], this.#QB.webrtc.CallType.VIDEO);
      call.session.localStream = call.media.stream;
      call.session.call({});
    } catch (error) {
      this.#finish(call.session, "error", `The door could not be called: ${error.message}.`);
      return;
    }
    this.#draw();
  }

  // takeMedia opens the microphone for a call, and tells whether the call is still there.
  async #takeMedia(call) {
    call.busy = true;
    this.#draw();
    const media = await outgoing(this.#tone);
    call.busy = false;
    if (call !== this.#call) {
      release(media);
      return false;
    }
    call.media = media;
    if (media.warning) this.#notify("warning", media.warning, 0);
    return true;
  }

  #talk() {
    const call = this.#call;
    call.phase = "talking";
    this.#ring.stop();
    this.#timer("media", mediaLimit, () => {
      if (call !== this.#call || call.since) return;
      this.#end((session) => session.stop({}));
      this.#finish(call.session, "error", "No connection to the door came about.");
    });
    this.#draw();
  }

  #decline() {
    if (this.#call?.phase !== "ringing") return;
    this.#call.ended = "Declined.";
    this.#end((session) => session.reject({}));
  }

  #hangUp() {
    if (!this.#call) return;
    this.#end((session) => session.stop({}));
  }

  // end tells the door and ends the call here, even where the door cannot be told: while
  // the chat link is down the SDK throws and would leave its session half closed.
  #end(tell) {
    const call = this.#call;
    if (!call) return;
    const text = call.ended ?? (call.phase === "calling" ? "Cancelled." : "You hung up.");
    this.#call = null; // before the SDK says that the session is closed
    const { session } = call;
    if (session) {
      try {
        tell(session);
      } catch (error) {
        console.warn("intercom: the door was not told:", error.message);
        for (const user of Object.keys(session.peerConnections)) session.closeConnection(Number(user));
      }
    }
    this.#over(call, "info", text);
  }

  #openDoor() {
    if (this.#call?.phase !== "talking" || this.#receipt?.event === "sent") return;
    this.#call.renewed = false;
    this.#ask();
  }

  async #ask() {
    const call = this.#call;
    this.#setReceipt("sent", "Asking the door to open");
    try {
      const userInfo = await request(this.#who.id, call.challenge ?? "", call.session.ID);
      if (call !== this.#call) return;
      call.session.update({ userInfo });
    } catch {
      this.#setReceipt("lost", "Not sent: the server is out of reach");
    }
  }

  #mute() {
    const call = this.#call;
    if (call?.phase !== "talking") return;
    call.muted = !call.muted;
    if (call.muted) call.session.mute("audio");
    else call.session.unmute("audio");
    this.#draw();
  }

  async #allowSound() {
    if (this.#call?.phase === "talking") this.#blockSound(!(await this.#screen.unmute()));
    // The ring resumes by the same click.
  }

  // finish ends this call because the other side, the SDK or an error did.
  #finish(session, kind, text) {
    const call = this.#call;
    if (!call || call.session !== session) return;
    this.#call = null;
    this.#over(call, kind, text);
  }

  #over(call, kind, text) {
    this.#ring.stop();
    release(call.media);
    this.#screen.blank();
    this.#soundBlocked = false;
    this.#clearMessages();
    this.#notify(kind, text);
  }

  // What is shown.

  #is(session, phase) {
    return this.#call?.session === session && this.#call.phase === phase;
  }

  #name() {
    return this.#who?.name || this.#who?.login || "";
  }

  #timer(name, after, f) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(f, after);
  }

  #clearMessages() {
    for (const name of Object.keys(this.#timers)) clearTimeout(this.#timers[name]);
    this.#notice = null;
    this.#receipt = null;
  }

  #notify(kind, text, stays = noticeStays) {
    this.#notice = { kind, text };
    clearTimeout(this.#timers.notice);
    if (stays > 0) {
      this.#timer("notice", stays, () => {
        this.#notice = null;
        this.#draw();
      });
    }
    this.#draw();
  }

  #setReceipt(event, text) {
    this.#receipt = { event, text };
    this.#timer("receipt", receiptLimit, () => {
      if (event === "sent") return this.#setReceipt("lost", "The door does not reply");
      this.#receipt = null;
      this.#draw();
    });
    this.#draw();
  }

  #blockSound(blocked) {
    if (blocked === this.#soundBlocked) return;
    this.#soundBlocked = blocked;
    this.#draw();
  }

  #state() {
    if (this.#call) return this.#call.phase;
    return { up: "ready", connecting: "connecting", down: "offline" }[this.#link];
  }

  #draw() {
    const state = this.#state();
    const [title, detail] = this.#words(state);
    const choose = state === "offline" && !this.#who && !this.#failure;
    const buttons = state === "offline" && !this.#who ? [] : [...shows[state]];
    if (this.#soundBlocked) buttons.push("sound");
    this.#screen.show({
      state,
      title,
      detail,
      buttons,
      choose,
      media: this.#call?.live ? "live" : "none",
      link: this.#link === "up" ? "up" : "down",
      who: this.#name(),
      busy: Boolean(this.#call?.busy),
      muted: Boolean(this.#call?.muted),
      opening: this.#receipt?.event === "sent",
      notice: this.#notice,
      receipt: this.#receipt,
    });
    document.title = state === "ringing" ? "The door is calling" : "Intercom";
  }

  #words(state) {
    const call = this.#call;
    switch (state) {
      case "offline":
        if (!this.#config.sdk) return ["The QuickBlox SDK is missing", this.#failure];
        if (this.#failure) return ["Not signed in", this.#failure];
        return ["Who are you?", "Choose whose phone this is."];
      case "connecting":
        return [this.#name(), this.#linkText];
      case "ready":
        return [this.#name(), "This phone rings when somebody presses the button at the door."];
      case "ringing":
        return ["Front door", call.busy ? "Opening the microphone" : "Somebody is at the door"];
      case "calling":
        return ["Front door", call.busy ? "Opening the microphone" : "Calling"];
      default:
        return ["Front door", call.trouble || (call.since ? duration(Date.now() - call.since) : "Connecting")];
    }
  }
}

function mark(name, session) {
  performance.mark(name, { detail: session.ID });
}

// said adds the reason that the other side gave, if any.
function said(text, info) {
  return info?.reason ? `${text}: ${info.reason}.` : `${text}.`;
}

function release(media) {
  if (!media) return;
  for (const track of media.stream.getTracks()) track.stop();
  media.close();
}
