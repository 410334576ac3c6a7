// Debian's Chromium without a screen, and what every page of it must keep to.
import { chromium } from "playwright-core";

export const CHROMIUM = "/usr/bin/chromium";

/** Starts Chromium with a new, empty profile; it looks for nothing in the network. */
export const launch = (more = []) => chromium.launch({
  executablePath: CHROMIUM,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required", "--mute-audio",
    "--enable-precise-memory-info", ...more],
});

/** A page of its own, as on a monitor at the desk. What it must not do is collected in `page.faults`: errors, dialogs, requests elsewhere. */
export const open = async (browser, station, options = {}) => {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 720 }, locale: "en-US", reducedMotion: "reduce", ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.faults = [];
  const home = new URL(station.url).origin;
  page.on("pageerror", (error) => page.faults.push(`error: ${error.message}`));
  page.on("console", (said) => {
    if (said.type() === "error") { page.faults.push(`console: ${said.text()}`); }
  });
  page.on("dialog", (dialog) => {
    page.faults.push(`dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== home && !["data:", "blob:", "about:"].includes(url.protocol)) { page.faults.push(`request: ${url}`); }
  });
  return page;
};
