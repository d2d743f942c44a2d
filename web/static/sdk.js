// The QuickBlox SDK: loading it, signing in, staying connected. The only other place that
// talks to it is phone.js, which has the calls.

// SignInError is final: the same attempt would fail again.
export class SignInError extends Error {}

// load gives the SDK, ready for this account.
export async function load(config) {
  plainFetch(config.api);
  await new Promise((loaded, failed) => {
    const script = document.createElement("script");
    script.src = "/sdk/quickblox.min.js";
    script.onload = loaded;
    script.onerror = () => failed(new SignInError("The QuickBlox SDK could not be loaded."));
    document.head.append(script);
  });
  const QB = window.QB;
  // Without an account key the SDK ignores all that follows. With one, and servers of our
  // own, it does not ask QuickBlox where the account lives.
  QB.init(config.appID, config.authKey, config.authSecret, config.accountKey || "none", {
    endpoints: { api: new URL(config.api).host, chat: config.chat },
    chatProtocol: { websocket: config.websocket, active: 2 },
    webrtc: { iceServers: config.iceServers ?? [], iceTransportPolicy: config.icePolicy || "all" },
    debug: { mode: 0 },
  });
  if (!QB.webrtc) throw new SignInError("This browser has no WebRTC.");
  return QB;
}

// plainFetch undoes what the SDK cannot be told: it always says https, and a server on
// this machine speaks http. The SDK takes its own copy of fetch when it loads.
function plainFetch(api) {
  const { protocol, host, origin } = new URL(api);
  if (protocol !== "http:") return;
  const secure = `https://${host}/`;
  const fetch = window.fetch.bind(window);
  window.fetch = (what, options) =>
    fetch(typeof what === "string" && what.startsWith(secure) ? `${origin}/${what.slice(secure.length)}` : what, options);
}

// signIn opens a REST session and gives the user's id. Out of reach is an Error, refused a
// SignInError.
export function signIn(QB, { login, password }) {
  return new Promise((done, failed) => {
    QB.createSession({ login, password }, (error, session) => {
      if (error?.code === 401) return failed(new SignInError(`Wrong login or password for ${login}.`));
      if (error?.code >= 400 && error.code < 500) return failed(new SignInError(`The server refused the session: ${describe(error)}.`));
      // A dead network the SDK reports as success without a session.
      if (error || !session?.token) return failed(new Error("The server is out of reach."));
      done(session.user_id);
    });
  });
}

function describe({ code, detail, message }) {
  const errors = detail ?? message?.errors ?? message;
  if (errors && typeof errors === "object") return Object.values(errors).flat().join(", ") || String(code);
  return String(errors ?? code);
}

// connect opens the chat link and keeps it: the SDK tries again every three seconds, for
// ever. The user's own password serves better than the session's token: it still holds
// when the link breaks after the token's two hours.
export function connect(QB, { userId, password }, { up, down, refused }) {
  let over = false;
  const refuse = () => {
    if (over) return;
    over = true;
    QB.chat.disconnect();
    refused(new SignInError("The chat server refused the password."));
  };
  QB.chat.onDisconnectedListener = () => over || down("The server is gone. Connecting again");
  QB.chat.onReconnectListener = () => over || up();
  QB.chat.onReconnectFailedListener = (error) => (error?.code === 401 ? refuse() : undefined);
  QB.chat.connect({ userId, password }, (error) => {
    if (!error) over || up();
    else if (error.code === 401) refuse();
    else over || down("The chat server is out of reach. Trying again");
  });
}
