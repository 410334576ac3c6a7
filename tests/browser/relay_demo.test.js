// The demonstration of the relay, fed by the daemon's own: both real programs, to their end, and the walk that the README tells.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { test } from "node:test";
import { launch, open } from "./support/chrome.js";
import { Relay, sign_in, submit } from "./support/relay.js";
import { ROOT, eventually } from "./support/station.js";
import { words } from "./support/words.js";

const EN = words("en", "relay/src/web/words");
const NUMBER = "+13035550142";

const program = (name, of) => process.env[of] ?? path.join(ROOT, "target/debug", name);
const demo = (...more) => [program("ballot-relay", "BALLOT_RELAY"), ["demo", "--intake", program("ballot-intake", "BALLOT_INTAKE"), ...more]];

test("the demonstration takes what the daemon sends, tells everybody, and ends well", () => {
  const done = spawnSync(...demo("--once"), { encoding: "utf8", timeout: 240_000 });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  const [, events, letters, confirmed] = done.stdout.match(/(\d+) events taken, (\d+) e-mails handed over, (\d+) texts and calls confirmed, 0 lost/);
  for (const n of [events, letters, confirmed]) { assert.ok(Number(n) > 100, done.stdout); }
});

// What is printed is done: whoever tries the relay out signs up, answers YES, scans the envelope, reads the news, and answers STOP.
test("the printed voter signs up, and hears of the envelope that the printed line scans", { timeout: 240_000 }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "relay-demo-"));
  const env = { ...process.env, TMPDIR: folder, RUST_LOG: "error" };
  const child = spawn(...demo(), { stdio: ["ignore", "pipe", "inherit"], env, timeout: 200_000 });
  const relay = Object.assign(new Relay(), { children: [child] });
  let browser;
  try {
    const said = [];
    const printed = (pattern) => said.map((line) => line.match(pattern)).find((found) => found);
    const lines = readline.createInterface({ input: child.stdout }).on("line", (line) => said.push(line));
    const over = once(lines, "close").then(() => { throw new Error(`the demonstration ended: ${said.join("\n")}`); });
    over.catch(() => {});
    const scans = /^ +(printf '\d+\\r' > \/dev\/pts\/\d+)$/;
    while (!printed(scans)) { await Promise.race([once(lines, "line"), over]); }
    const [, url] = printed(/^the voters' pages +(\S+)/);
    const [, provider] = printed(/^texts, calls, mail +(\S+)/);
    const [, first, last, birth, zip, address] = printed(/sign up as (\S+) (\S+), born (\S+), ZIP (\d+), with (\S+)/);
    Object.assign(relay, { url, provider });
    browser = await launch();
    const page = await open(browser, relay);
    const shown = async () => { await page.goto(`${url}me`); return page.locator("main").textContent(); };
    await sign_in(page, relay, address, { first, last, birth, zip });
    await page.goto(`${url}me/contacts`);
    await submit(page, "/me/contacts", { address: NUMBER, channel: "text", consent: true });
    await eventually("the question whether texts are wanted", async () => (await relay.messages(NUMBER)).length === 1);
    await relay.answers(NUMBER, "YES");
    assert.ok((await shown()).includes(EN["ballot.mailed"]));
    const scanned = spawnSync("sh", ["-c", printed(scans)[1]], { encoding: "utf8" });
    assert.equal(scanned.status, 0, scanned.stderr);
    await eventually("the letter", async () => (await relay.mail(address)).some((letter) => /received/i.test(letter.subject)));
    await eventually("the text", async () => (await relay.messages(NUMBER)).some((text) => /received/i.test(text.body)));
    assert.ok((await shown()).includes(EN["ballot.received"]));
    await relay.answers(NUMBER, "STOP");
    await page.goto(`${url}me/contacts`);
    assert.ok((await page.locator("tbody tr", { hasText: NUMBER }).textContent()).includes(EN["contact.suppressed"]));
    assert.deepEqual(page.faults, []);
  } finally {
    await browser?.close();
    await relay.stop();
  }
  assert.equal(child.exitCode, 0);
  // Nothing of either demonstration is left; the scanner's line goes with the daemon.
  assert.deepEqual(fs.readdirSync(folder), []);
  fs.rmSync(folder, { recursive: true });
});
