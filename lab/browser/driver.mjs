// The browser's driver: starts one Chromium and does what the Go side asks, one JSON
// object a line: {"id", "op", ...} in, {"id", "result"} or {"id", "error"} out, and
// {"event", "page", ...} for what pages say by themselves. It ends, and the browser with
// it, when its standard input does.
//
// playwright-core is found from the folder in NODE_ROOT, not from this file's place.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const require = createRequire(join(process.env.NODE_ROOT, 'package.json'));
const { chromium } = require('playwright-core');

let server; // the browser's process
let browser;
let next = 1;
const pages = new Map();

const write = (o) => process.stdout.write(JSON.stringify(o) + '\n');

// limit ends a wait of which the page never reports the end, because it hangs or is gone.
const limit = (promise, timeout, what) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${timeout} ms`)), timeout);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

const page = (m) => {
  const p = pages.get(m.page);
  if (!p) throw new Error(`there is no page ${m.page}`);
  return p;
};

const ops = {
  async launch(m) {
    server = await chromium.launchServer({
      executablePath: m.executable, args: m.args, headless: true, timeout: m.timeout,
      handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false,
    });
    browser = await chromium.connect(server.wsEndpoint(), { timeout: m.timeout });
    return { pid: server.process().pid, version: browser.version() };
  },
  async open(m) {
    const c = await browser.newContext({ viewport: m.size });
    for (const s of m.scripts ?? []) await c.addInitScript({ content: s });
    const p = await c.newPage();
    const id = next++;
    pages.set(id, p);
    p.on('console', (e) => write({ event: 'console', page: id, kind: e.type(), text: e.text() }));
    p.on('pageerror', (e) => write({ event: 'error', page: id, text: String(e.stack ?? e) }));
    p.on('requestfailed', (r) => write({ event: 'request', page: id, text: `${r.method()} ${r.url()}: ${r.failure()?.errorText}` }));
    p.on('crash', () => write({ event: 'error', page: id, text: 'the page crashed' }));
    p.on('dialog', (d) => d.dismiss().catch(() => {}));
    return id;
  },
  goto: (m) => page(m).goto(m.url, { timeout: m.timeout }).then(() => null),
  eval: (m) => limit(page(m).evaluate(m.expression), m.timeout, 'evaluate'),
  click: (m) => page(m).click(m.selector, { timeout: m.timeout }).then(() => null),
  screenshot: (m) => page(m).screenshot({ path: m.path, timeout: m.timeout, animations: 'allow' }).then(() => null),
  async close(m) {
    const p = page(m);
    pages.delete(m.page);
    await limit(p.context().close(), m.timeout, 'close');
    return null;
  },
};

async function end() {
  setTimeout(() => process.exit(1), 3000).unref();
  await browser?.close().catch(() => {});
  await server?.close().catch(() => {});
  process.exit(0);
}

// However this process ends, short of a signal that cannot be caught, the browser's
// process group goes first. After such a signal the browser ends by itself: its pipe to
// this process is cut.
process.on('exit', () => {
  try {
    if (server) process.kill(-server.process().pid, 'SIGKILL');
  } catch { /* it has ended */ }
});
for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(s, end);

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const m = JSON.parse(line);
  try {
    if (!ops[m.op]) throw new Error(`unknown operation ${m.op}`);
    write({ id: m.id, result: (await ops[m.op](m)) ?? null });
  } catch (e) {
    write({ id: m.id, error: String(e.message ?? e) });
  }
});
lines.on('close', end);
