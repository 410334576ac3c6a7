// The pages over TLS in a browser that knows the station's certificate by its key, and in one that does not.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { launch, open } from "./support/chrome.js";
import { office, scan_all, sign_in } from "./support/office.js";
import { ROOT, code } from "./support/station.js";
import { words } from "./support/words.js";

const CERTIFICATE = path.join(ROOT, "fixtures/desk/page.crt");
const KEY = path.join(ROOT, "fixtures/desk/page.key");

/** The hash of the certificate's public key, as Chromium wants it. */
const spki = () => {
  const { publicKey } = new crypto.X509Certificate(fs.readFileSync(CERTIFICATE));
  return crypto.createHash("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("base64");
};

describe("by TLS", () => {
  let browser;
  let stranger;
  let station;

  before(async () => {
    station = await office({ more: `[page]\ntls_certificate_file = "${CERTIFICATE}"\ntls_key_file = "${KEY}"\n` });
    browser = await launch([`--ignore-certificate-errors-spki-list=${spki()}`]);
    stranger = await launch();
  });

  after(async () => {
    await browser?.close();
    await stranger?.close();
    await station?.stop();
  });

  test("somebody signs in, sees a scan at once, and signs out", async () => {
    assert.ok(station.url.startsWith("https://"), station.url);
    const page = await open(browser, station);
    await sign_in(page, station, "cleo");
    const [session] = (await page.context().cookies()).filter(({ name }) => name.endsWith("desk"));
    assert.deepEqual([session.name, session.secure, session.httpOnly, session.sameSite], ["__Host-desk", true, true, "Strict"]);
    await page.goto(station.url);
    await page.waitForFunction(() => document.getElementById("troubles").dataset.shown !== undefined);
    await scan_all(station, [code(1)]);
    await page.waitForFunction(() => document.getElementById("main").dataset.verdict === "received");
    assert.equal(await page.locator("#says").textContent(), words("en")["verdict.received.says"]);
    assert.equal(await page.evaluate(() => globalThis.isSecureContext), true);
    for (const where of ["day", "batches", "manual", "undo", "labels", "scanners"]) {
      const answer = await page.goto(station.url + where);
      assert.equal(answer.status(), 200, where);
      assert.ok(answer.headers()["strict-transport-security"], where);
    }
    await page.getByRole("button", { name: words("en")["frame.signout"] }).click();
    await page.waitForURL(station.url);
    assert.deepEqual(await page.context().cookies().then((all) => all.filter(({ name }) => name === "__Host-desk")), []);
    assert.deepEqual(page.faults, []);
  });

  test("a browser that knows nothing of the certificate shows none of it", async () => {
    const page = await open(stranger, station);
    await assert.rejects(page.goto(`${station.url}signin`), /ERR_CERT_AUTHORITY_INVALID/);
  });
});
