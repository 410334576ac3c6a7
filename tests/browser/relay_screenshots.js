// Draws the relay's pages into fixtures/relay/ for the README.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { launch, open } from "./support/chrome.js";
import { Relay, sign_in, sign_in_office, submit } from "./support/relay.js";
import { ROOT, eventually } from "./support/station.js";

const FOLDER = path.join(ROOT, "fixtures/relay");
const HEIGHT_MAX = 800;

const draw = async (page, name) => {
  const file = path.join(FOLDER, `${name}.png`);
  const { width } = page.viewportSize();
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.screenshot({ path: file, clip: { x: 0, y: 0, width, height: Math.min(height, HEIGHT_MAX) }, fullPage: true });
  const done = spawnSync("pngquant", ["--force", "--strip", "--speed", "1", "--output", file, "32", file]);
  if (done.error) { console.error(`${file} is not made smaller: there is no pngquant`); }
  console.log(`${name}.png ${fs.statSync(file).size}`);
};

const main = async () => {
  fs.mkdirSync(FOLDER, { recursive: true });
  const relay = await new Relay().start();
  const browser = await launch();
  const size = { viewport: { width: 900, height: 700 } };
  try {
    const ana = await open(browser, relay, size);
    await ana.goto(relay.url);
    await draw(ana, "home");
    await ana.goto(`${relay.url}signin`);
    await draw(ana, "signin");
    await sign_in(ana, relay, "ana@example.org");
    await ana.goto(`${relay.url}me/contacts`);
    await submit(ana, "/me/contacts", { address: "303-555-0100", channel: "text", consent: true });
    await eventually("the question", async () => (await relay.messages("+13035550100")).length === 1);
    await relay.answers("+13035550100", "YES");
    await ana.goto(`${relay.url}me/contacts`);
    await draw(ana, "contacts");
    await ana.goto(`${relay.url}me/preferences`);
    await draw(ana, "preferences");
    await relay.happens("900000001", "received");
    await eventually("a letter", async () => (await relay.mail("ana@example.org")).length >= 2);
    await ana.goto(`${relay.url}me`);
    await draw(ana, "me");
    const dark = await open(browser, relay, { ...size, colorScheme: "dark", locale: "es-US" });
    await sign_in(dark, relay, "ana@example.org");
    await draw(dark, "me-dark-es");
    await submit(ana, "/me/not-me", {});
    for (const [who, address] of [[{ first: "Dora", last: "Nguyen", birth: "1990-01-01", zip: "80303" }, "dora@example.org"],
      [{ first: "Eli", last: "Baker", birth: "1991-02-02", zip: "80304" }, "eli@example.org"]]) {
      const voter = await open(browser, relay, size);
      await sign_in(voter, relay, address, who);
      await voter.context().close();
    }
    const cleo = await open(browser, relay, { viewport: { width: 1100, height: 800 } });
    await sign_in_office(cleo, relay, "cleo");
    await cleo.goto(`${relay.url}office`);
    await draw(cleo, "office");
    await cleo.goto(`${relay.url}office/voters/boulder/1`);
    await draw(cleo, "office-voter");
    await cleo.goto(`${relay.url}office/alarms`);
    await draw(cleo, "office-alarms");
    await cleo.goto(`${relay.url}office/bulks`);
    await submit(cleo, "/office/bulks", {});
    await draw(cleo, "office-reminder");
  } finally {
    await browser.close();
    await relay.stop();
  }
};

await main();
