// What every page is looked at for: what axe-core finds, what the keyboard reaches, and whether it fits.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

export const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

// Sizes in CSS pixels; 640 x 360 is the monitor at twice the size, 320 x 256 at four times.
export const SIZES = [[1280, 720], [1024, 768], [768, 1024], [640, 360], [320, 256]];

/** Numbers everything that can have the focus, in the document's order; of radio buttons with one name one. */
export const number_focusable = () => {
  const wanted = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  const radios = new Set();
  let n = 0;
  for (const element of document.querySelectorAll(wanted)) {
    const is_shown = element.checkVisibility({ visibilityProperty: true });
    if (!is_shown || element.disabled || element.tabIndex < 0) { continue; }
    if (element.type === "radio") {
      if (radios.has(element.name)) { continue; }
      const chosen = document.querySelector(`input[type=radio][name="${element.name}"]:checked`) ?? element;
      radios.add(element.name);
      chosen.dataset.focusable = n;
    } else {
      element.dataset.focusable = n;
    }
    n += 1;
  }
  return n;
};

const focused = () => {
  const element = document.activeElement;
  if (!element || element === document.body) { return null; }
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const is_marked = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none";
  const is_seen = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return { number: Number(element.dataset.focusable ?? -1), is_marked, is_seen, what: element.outerHTML.slice(0, 120) };
};

/** What sticks out furthest. */
export const widest = () => {
  const all = [...document.querySelectorAll("body *")].map((element) => [element.getBoundingClientRect().right, element]);
  const [, element] = all.reduce((most, one) => (one[0] > most[0] ? one : most));
  return element.outerHTML.slice(0, 160);
};

/** What axe-core finds. */
export const found_on = async (page) => {
  const { passes, violations } = await page.evaluate(() => globalThis.axe.run(document, { rules: { "target-size": { enabled: true } } }));
  assert.ok(passes.length > 0);
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`);
};

/** Goes once through the page by the Tab key; what had the focus, in its order. */
export const tab_through = async (page, n) => {
  const order = [];
  for (let step = 0; step < 2 * n + 5; step += 1) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(focused);
    if (now === null || (order.length > 0 && now.number === order[0].number)) { break; }
    order.push(now);
  }
  return order;
};
