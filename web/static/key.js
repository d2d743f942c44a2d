// The key of a paired phone (docs/app-integration.md). An app keeps it in the phone's key
// store; this page, which is for trying things out, in the browser's storage.

const name = (user) => `intercom-key-${user}`;

// take keeps the key of a link behind the # of the page's address, which no server is told,
// and returns whose it is; 0 if there is none.
export function take() {
  const text = decodeURIComponent(location.hash.slice(1));
  if (!text.startsWith("intercom-pair:v1?")) return 0;
  history.replaceState(null, "", location.pathname + location.search);
  const link = new URLSearchParams(text.slice(text.indexOf("?")));
  const user = Number(link.get("user"));
  if (!user || !link.get("key") || !link.get("secret")) return 0;
  localStorage.setItem(name(user), JSON.stringify({ id: link.get("key"), secret: link.get("secret") }));
  return user;
}

// request is what asks the door to open in a session; with a key if this user has one here.
export async function request(user, challenge, sessionID) {
  const command = "unlock";
  const kept = localStorage.getItem(name(user));
  if (!kept) return { command };
  const { id, secret } = JSON.parse(kept);
  const raw = Uint8Array.from(atob(secret.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const text = ["intercom-unlock-1", challenge, "", sessionID, user].join("\n");
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text)));
  const mac64 = btoa(String.fromCharCode(...mac)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return { command, challenge, device: id, mac: mac64 };
}
