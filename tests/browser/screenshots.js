// Draws every page, and the clerk's page in each of its colours, into fixtures/desk/ for the README.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { launch, open } from "./support/chrome.js";
import { PEOPLE, as, morning, office, page_routes, pages, scan_all, sign_in } from "./support/office.js";
import { ROOT, code, eventually } from "./support/station.js";

const FOLDER = path.join(ROOT, "fixtures/desk");
const HEIGHT_MAX = 800;

/** As few colours as a page needs: a picture is a quarter of its size. */
const slim = (file) => {
  const done = spawnSync("pngquant", ["--force", "--strip", "--speed", "1", "--output", file, "32", file]);
  if (done.error) { console.error(`${file} is not made smaller: there is no pngquant`); }
};

const draw = async (page, name) => {
  const file = path.join(FOLDER, `${name}.png`);
  const { width } = page.viewportSize();
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.screenshot({ path: file, clip: { x: 0, y: 0, width, height: Math.min(height, HEIGHT_MAX) }, fullPage: true });
  slim(file);
  console.log(`${name}.png ${fs.statSync(file).size}`);
};

const name_of = (route) => route.slice(1).replaceAll("/", "-").replace(/-?\{\w+\}/g, "") + (route.includes("{") ? "-one" : "");

const clerk = async (browser, station) => {
  const page = await open(browser, station);
  await page.goto(station.url);
  await page.waitForFunction(() => document.getElementById("troubles").dataset.shown !== undefined);
  const scan = async (payload, verdict, name) => {
    station.scan(payload);
    await page.waitForFunction((wanted) => document.getElementById("main").dataset.verdict === wanted, verdict);
    await draw(page, name);
  };
  await draw(page, "clerk-ready");
  await scan(code(21), "received", "clerk-good");
  await scan(code(1), "already_received", "clerk-notice");
  await scan(code(50), "voided", "clerk-bad");
  const dark = await open(browser, station, { colorScheme: "dark", locale: "es-US", viewport: { width: 1024, height: 768 } });
  await dark.goto(station.url);
  await draw(dark, "clerk-dark-es");
};

const main = async () => {
  fs.mkdirSync(FOLDER, { recursive: true });
  const station = await office();
  const browser = await launch();
  try {
    await scan_all(station, morning);
    if (page_routes().includes("/batches")) {
      as(station, "sue", ["batch", "close", "1", "--counted", "28", "--explain", "one envelope fell behind the desk"]);
    }
    await clerk(browser, station);
    const page = await open(browser, station);
    await sign_in(page, station, Object.keys(PEOPLE)[0]);
    const filled = pages().filter((where) => !where.includes("?"));
    for (const [n, route] of page_routes().entries()) {
      if (route === "/") { continue; }
      await page.goto(new URL(filled[n], station.url).href);
      await draw(page, name_of(route));
    }
    await eventually("the answers", () => station.answers.length > 0);
  } finally {
    await browser.close();
    await station.stop();
  }
};

await main();
