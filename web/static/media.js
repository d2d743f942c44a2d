// What the phone sends. A resident needs a voice, not a picture: the door has no screen.
// So the camera is never asked for.

// outgoing gives a stream to answer or call with, and a warning where the visitor will
// hear nothing. It holds a video track all the same, black and still: the SDK offers only
// the kinds of media that the stream has, so a call without one would bring no picture
// from the door; and in Safari it reads a track of each kind when it answers.
//
// tone, in Hz, replaces the microphone.
export async function outgoing(tone) {
  const { track, warning, close } = await sound(tone);
  const canvas = document.createElement("canvas");
  canvas.width = 160;
  canvas.height = 120;
  canvas.getContext("2d").fillRect(0, 0, canvas.width, canvas.height);
  const picture = canvas.captureStream(1).getVideoTracks();
  return { stream: new MediaStream([track, ...picture]), warning, close };
}

async function sound(tone) {
  if (tone > 0) return { ...synthetic(tone), warning: "" };
  if (!navigator.mediaDevices?.getUserMedia) {
    return { ...synthetic(0), warning: "This page may not use the microphone: open it as localhost. The visitor cannot hear you." };
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
    return { track: stream.getAudioTracks()[0], warning: "", close() {} };
  } catch (error) {
    const why = {
      NotAllowedError: "The microphone is not allowed.",
      NotFoundError: "There is no microphone.",
      NotReadableError: "The microphone is used by another program.",
    }[error.name] ?? `No microphone: ${error.message}.`;
    return { ...synthetic(0), warning: `${why} You hear the visitor, but the visitor cannot hear you.` };
  }
}

// synthetic is a sine, or silence.
function synthetic(frequency) {
  const context = new AudioContext();
  const destination = context.createMediaStreamDestination();
  const source = new OscillatorNode(context, { frequency });
  const gain = new GainNode(context, { gain: frequency > 0 ? 0.3 : 0 });
  source.connect(gain).connect(destination);
  source.start();
  context.resume();
  return { track: destination.stream.getAudioTracks()[0], close: () => context.close() };
}
