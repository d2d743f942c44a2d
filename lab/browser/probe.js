// The probe measures, from inside a page, the media that the browser decodes for it, and
// gives the page a microphone with a known tone. It runs before the page's own scripts
// and changes what they see in these points only:
//
//   getUserMedia         sound is a steady tone; a picture is the browser's fake camera
//   RTCPeerConnection    each one made is remembered; with probeConfig.codec, the video
//                        codecs of other names are taken out of remote descriptions
//   srcObject (setter)   the first frame that a remote video shows is timed
//
// Configuration, put in by a script before this one: window.probeConfig = {tone: Hz,
// codec: 'H264'}. Times are performance.now(), in milliseconds.
//
// On a machine without a sound card, Firefox lets audio graphs stand still. There the
// microphone is its own fake one, with its own tone, whatever the configuration says; and
// remote sound is recorded, and measured from the recording.
(() => {
  'use strict';
  const config = window.probeConfig ?? {};
  const connections = [];
  const remoteTracks = []; // in the order of arrival
  const localTracks = new WeakSet();
  const firstFrames = [];
  const clicks = [];
  const probe = { connections, remoteTracks, firstFrames, clicks };
  window.probe = probe;

  const gecko = navigator.userAgent.includes('Gecko/');
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // --- the microphone -------------------------------------------------------------------
  let sound; // made on first use: most documents never need it
  const audioContext = () => (sound ??= new AudioContext());

  function toneTrack() {
    const c = audioContext();
    const oscillator = new OscillatorNode(c, { frequency: config.tone ?? 600 });
    const gain = new GainNode(c, { gain: 0.25 });
    const out = new MediaStreamAudioDestinationNode(c, { channelCount: 1 });
    oscillator.connect(gain).connect(out);
    oscillator.start();
    c.resume();
    return out.stream.getAudioTracks()[0];
  }

  const devices = navigator.mediaDevices; // missing where the page is not secure
  if (devices) {
    const native = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (constraints = {}) => {
      if (!constraints.audio && !constraints.video) return native(constraints); // refuses
      if (gecko) {
        const all = await native(constraints);
        for (const t of all.getTracks()) localTracks.add(t);
        return all;
      }
      const stream = constraints.video ? await native({ video: constraints.video }) : new MediaStream();
      if (constraints.audio) stream.addTrack(toneTrack());
      for (const t of stream.getTracks()) localTracks.add(t);
      return stream;
    };
  }

  // --- connections ----------------------------------------------------------------------
  // onlyCodec takes the other video codecs out of a description; what belongs to the
  // remaining ones, retransmission included, stays.
  function onlyCodec(sdp, name) {
    const sections = sdp.split(/(?=^m=)/m);
    return sections.map((section) => {
      if (!section.startsWith('m=video')) return section;
      const keep = new Set();
      for (const [, type, codec] of section.matchAll(/^a=rtpmap:(\d+) ([^/]+)\//gm)) {
        if (codec.toUpperCase() === name) keep.add(type);
      }
      for (const [, type, apt] of section.matchAll(/^a=fmtp:(\d+) apt=(\d+)/gm)) {
        if (keep.has(apt)) keep.add(type);
      }
      return section.split('\n').filter((line) => {
        const of = /^a=(?:rtpmap|fmtp|rtcp-fb):(\d+) /.exec(line);
        return !of || keep.has(of[1]);
      }).map((line) => (line.startsWith('m=video')
        ? line.replace(/^(m=video \d+ \S+)((?: \d+)+)/, (_, head, types) =>
          [head, ...types.trim().split(' ').filter((t) => keep.has(t))].join(' '))
        : line)).join('\n');
    }).join('');
  }

  const Native = window.RTCPeerConnection;
  if (Native) {
    window.RTCPeerConnection = class RTCPeerConnection extends Native {
      constructor(...args) {
        super(...args);
        connections.push(this);
        this.addEventListener('track', ({ track }) => remoteTracks.push(track));
      }

      setRemoteDescription(description, ...rest) {
        if (config.codec && description?.sdp) {
          description = { type: description.type, sdp: onlyCodec(description.sdp, config.codec) };
        }
        return super.setRemoteDescription(description, ...rest);
      }
    };
  }

  // --- times ----------------------------------------------------------------------------
  const property = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'srcObject');
  Object.defineProperty(HTMLMediaElement.prototype, 'srcObject', {
    ...property,
    set(stream) {
      property.set.call(this, stream);
      if (!(this instanceof HTMLVideoElement) || !stream?.getTracks) return;
      if (stream.getTracks().some((t) => localTracks.has(t))) return;
      this.requestVideoFrameCallback((_, frame) => {
        firstFrames.push({ at: performance.now(), width: frame.width, height: frame.height });
      });
    },
  });

  window.addEventListener('click', (e) => {
    clicks.push({ id: e.target.closest?.('[id]')?.id ?? '', at: e.timeStamp });
  }, true);

  // --- the remote picture ---------------------------------------------------------------
  const live = (kind) => remoteTracks.findLast((t) => t.kind === kind && t.readyState === 'live');

  // The element that shows the remote picture, on the page: what nobody can see does not
  // count.
  function remoteVideo() {
    const track = live('video');
    return [...document.querySelectorAll('video')].find((v) =>
      track && v.srcObject?.getVideoTracks?.().includes(track) && v.checkVisibility());
  }

  async function framesDecoded() {
    const all = await probe.stats();
    return all.reduce((sum, c) => sum + (c.video?.framesDecoded ?? 0), 0);
  }

  // video measures the remote picture as the page shows it, for ms milliseconds. mean and
  // brightest are of 0..255; change is the part of the picture, 0..1, that differs between
  // one sample and the next; the smallest of all samples is given, so that a picture that
  // stands still or goes dark in between does not pass.
  probe.video = async ({ ms = 2000 } = {}) => {
    const video = remoteVideo();
    if (!video) throw new Error('the page shows no remote video');
    const width = 96;
    const height = 72;
    const canvas = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    const look = () => {
      canvas.drawImage(video, 0, 0, width, height);
      const { data } = canvas.getImageData(0, 0, width, height);
      const luma = new Float32Array(width * height);
      for (let i = 0; i < luma.length; i++) {
        luma[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
      }
      return luma;
    };
    let shown = 0;
    let first;
    let watching = true;
    const count = (_, frame) => {
      first ??= frame.presentedFrames;
      shown = frame.presentedFrames - first;
      if (watching) video.requestVideoFrameCallback(count);
    };
    video.requestVideoFrameCallback(count);
    const before = await framesDecoded();
    const start = performance.now();
    const found = { mean: Infinity, brightest: Infinity, change: Infinity };
    let last;
    do {
      const luma = look();
      found.mean = Math.min(found.mean, luma.reduce((a, b) => a + b) / luma.length);
      found.brightest = Math.min(found.brightest, luma.reduce((a, b) => Math.max(a, b)));
      if (last) found.change = Math.min(found.change, luma.filter((v, i) => Math.abs(v - last[i]) > 16).length / luma.length);
      last = luma;
      await pause(Math.min(400, ms / 4));
    } while (performance.now() - start < ms);
    const seconds = (performance.now() - start) / 1000;
    const decoded = (await framesDecoded()) - before;
    watching = false;
    return {
      ...found, decodedPerSecond: decoded / seconds, shownPerSecond: shown / seconds,
      width: video.videoWidth, height: video.videoHeight,
    };
  };

  // --- the remote sound -----------------------------------------------------------------
  let ear; // {track, element, analyser}

  function listen(track) {
    if (ear?.track === track) return ear.analyser;
    ear?.source.disconnect();
    const c = audioContext();
    const stream = new MediaStream([track]);
    // Chromium gives the sound of a connection to an audio graph only while an element
    // plays it too.
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    element.play().catch(() => {});
    const source = c.createMediaStreamSource(stream);
    const analyser = new AnalyserNode(c, { fftSize: 32768, smoothingTimeConstant: 0 });
    source.connect(analyser);
    c.resume();
    ear = { track, element, source, analyser };
    return analyser;
  }

  // recorded decodes what a track sounds like for ms milliseconds, at 48 kHz, and puts it
  // through an analyser.
  async function recorded(track, ms) {
    const recorder = new MediaRecorder(new MediaStream([track]));
    const parts = [];
    recorder.ondataavailable = (e) => parts.push(e.data);
    const stopped = new Promise((done) => { recorder.onstop = done; });
    recorder.start();
    await pause(ms);
    recorder.stop();
    await stopped;
    const file = await new Blob(parts).arrayBuffer();
    const length = Math.round(48 * ms / 128) * 128; // as an audio graph counts
    const c = new OfflineAudioContext(1, length, 48000);
    const source = new AudioBufferSourceNode(c, { buffer: await c.decodeAudioData(file) });
    const analyser = new AnalyserNode(c, { fftSize: 32768, smoothingTimeConstant: 0 });
    // From its end, so that the analyser's last samples are sound.
    source.connect(analyser).connect(c.destination);
    source.start(0, Math.max(0, source.buffer.duration - ms / 1000));
    await c.startRendering();
    return analyser;
  }

  // longestGap returns the longest silence of what an analyser has heard last, in milliseconds.
  function longestGap(analyser) {
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    let longest = 0;
    let silent = 0;
    for (const v of samples) {
      silent = Math.abs(v) < 0.01 ? silent + 1 : 0;
      longest = Math.max(longest, silent);
    }
    return 1000 * longest / analyser.context.sampleRate;
  }

  // audio measures the remote sound over the last 0.7 s, after ms milliseconds: the
  // dominant frequency in Hz, to a fraction of one; its margin in dB over everything that
  // is more than 30 Hz away; the level in dB below full scale; and the longest gap, in
  // Chromium that of 1.3 s.
  probe.audio = async ({ ms = 1500 } = {}) => {
    const track = live('audio');
    if (!track) throw new Error('there is no remote sound');
    let analyser;
    let gap = 0;
    if (gecko) {
      analyser = await recorded(track, ms);
    } else {
      analyser = listen(track);
      const last = Math.min(600, ms);
      await pause(ms - last);
      gap = longestGap(analyser);
      await pause(last);
    }
    gap = Math.max(gap, longestGap(analyser));
    const bins = new Float32Array(analyser.frequencyBinCount);
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatFrequencyData(bins);
    analyser.getFloatTimeDomainData(samples);
    const hz = analyser.context.sampleRate / analyser.fftSize;
    const power = samples.reduce((sum, v) => sum + v * v, 0) / samples.length;
    const dbfs = power > 0 ? 10 * Math.log10(power) : -200;
    let peak = Math.ceil(50 / hz);
    for (let i = peak; i < bins.length - 1; i++) if (bins[i] > bins[peak]) peak = i;
    if (!Number.isFinite(bins[peak])) return { frequency: 0, margin: 0, dbfs: -200, gap };
    let other = -200;
    for (let i = Math.ceil(50 / hz); i < bins.length; i++) {
      if (Math.abs(i - peak) * hz > 30) other = Math.max(other, bins[i]);
    }
    // A parabola through the three highest bins, in dB, has its top at the frequency.
    const [a, b, d] = [bins[peak - 1], bins[peak], bins[peak + 1]];
    const offset = 0.5 * (a - d) / (a - 2 * b + d);
    return { frequency: (peak + (Number.isFinite(offset) ? offset : 0)) * hz, margin: b - other, dbfs, gap };
  };

  // --- statistics -----------------------------------------------------------------------
  const candidate = (c) => c && { type: c.candidateType, server: c.relayProtocol ?? '' };

  // stats lists the open connections: state, the two candidates of the path in use, and for
  // what is received the codec, bytes and frames.
  probe.stats = async () => {
    const all = [];
    for (const c of connections) {
      if (c.connectionState === 'closed') continue;
      const report = await c.getStats();
      const one = { state: c.connectionState };
      for (const s of report.values()) {
        const pair = s.type === 'transport' && report.get(s.selectedCandidatePairId);
        if (pair) {
          one.local = candidate(report.get(pair.localCandidateId));
          one.remote = candidate(report.get(pair.remoteCandidateId));
        }
        if (s.type !== 'inbound-rtp') continue;
        one[s.kind] = {
          codec: report.get(s.codecId)?.mimeType ?? '', bytes: s.bytesReceived, lost: s.packetsLost,
          frames: s.framesReceived, framesDecoded: s.framesDecoded, keyFrames: s.keyFramesDecoded,
          dropped: s.framesDropped, pli: s.pliCount, nack: s.nackCount, freezes: s.totalFreezesDuration,
        };
      }
      all.push(one);
    }
    return all;
  };

})();
