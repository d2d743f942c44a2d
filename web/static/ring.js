// The ring tone: a chime of two notes, made here, because a page without files rings at once.

const period = 2600; // milliseconds from chime to chime
const chime = [
  { frequency: 783.99, at: 0 }, // G5
  { frequency: 622.25, at: 0.42 }, // E flat 5
];

export class Ring {
  #context = null;
  #timer = 0;
  #quiet = 0; // no new chime before this time of the context
  #blocked;

  // blocked(true) tells that the browser makes no sound before the person has touched the
  // page; blocked(false) that it may now.
  constructor(blocked) {
    this.#blocked = blocked;
    for (const gesture of ["pointerdown", "keydown"]) {
      document.addEventListener(gesture, () => this.#context?.resume(), { passive: true });
    }
  }

  start() {
    if (this.#timer) return;
    if (!this.#context) {
      this.#context = new AudioContext();
      // A new context is suspended for a moment even where it may sound.
      this.#context.addEventListener("statechange", () => {
        if (this.#context?.state === "running") this.#report();
        this.#strike();
      });
    }
    this.#context.resume();
    this.#timer = setInterval(() => this.#strike(), period);
    this.#strike();
    // One that may start does so at once: no hint flashes up for it.
    setTimeout(() => this.#report(), 300);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#blocked(false);
    const context = this.#context;
    this.#context = null;
    this.#quiet = 0;
    context?.close(); // with it ends a note that still sounds
  }

  #report() {
    this.#blocked(this.#timer !== 0 && this.#context.state !== "running");
  }

  #strike() {
    const context = this.#context;
    // Refused, it must not sound late.
    if (this.#timer === 0 || context?.state !== "running" || context.currentTime < this.#quiet) return;
    this.#quiet = context.currentTime + 1;
    for (const { frequency, at } of chime) {
      const start = context.currentTime + at;
      for (const [partial, loudness] of [[1, 0.16], [2, 0.05], [3, 0.02]]) {
        const note = new OscillatorNode(context, { frequency: frequency * partial });
        const envelope = new GainNode(context, { gain: 0 });
        envelope.gain.setValueAtTime(0, start);
        envelope.gain.linearRampToValueAtTime(loudness, start + 0.012);
        envelope.gain.exponentialRampToValueAtTime(0.0001, start + 1.5 / partial);
        note.connect(envelope).connect(context.destination);
        note.start(start);
        note.stop(start + 1.6);
      }
    }
  }
}
