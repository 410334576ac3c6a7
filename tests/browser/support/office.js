// A furnished station: operators of each role, ballots, batches, exceptions, an import with differences, so that every page has content.
import fs from "node:fs";
import path from "node:path";
import { ROOT, Station, code } from "./station.js";

/** Who works there, with a password each. */
export const PEOPLE = {
  admin: { role: "administrator", password: "correct horse battery 1" },
  sue: { role: "supervisor", password: "correct horse battery 2" },
  sam: { role: "supervisor", password: "correct horse battery 3" },
  cleo: { role: "clerk", password: "correct horse battery 4" },
  ada: { role: "auditor", password: "correct horse battery 5" },
};

/** What may not be taken for markup, a command or a formula anywhere: as a payload, and in files. */
export const HOSTILE = [
  "<script>window.harmed = 1; alert(1)</script>",
  "<img src=x onerror=\"window.harmed = 2; alert(2)\">",
  "\"><svg onload=alert(3)>",
  "'-alert(4)-'",
  "</title></textarea></style><iframe src=javascript:alert(5)>",
  "=HYPERLINK(\"http://evil.example/\",\"x\")",
  "@SUM(1+1)*cmd|' /C calc'!A0",
  "+1-1|cmd",
  "{{7*7}}${7*7}#{7*7}",
  "javascript:alert(6)",
  "http://evil.example/x.png",
  "\u202Egnp.exe\u202C \u2066x\u2069",
  "\u001b[31mred\u001b[0m\u001b]0;title\u0007",
  "\u0000\u0001\u007f",
  "\u200b\u200d\ufeff\u0301\u0301\u0301",
  "&lt;b&gt;&amp;&#60;",
];

/** The paths of all GET routes that are pages, from the daemon's own table. */
export const page_routes = () => {
  const routes = new Set();
  const folder = path.join(ROOT, "src/desk");
  for (const name of fs.readdirSync(folder, { recursive: true })) {
    if (!name.endsWith(".rs")) { continue; }
    const text = fs.readFileSync(path.join(folder, name), "utf8");
    for (const [, route] of text.matchAll(/\bget\(\s*"(\/[^"]*)"/g)) { routes.add(route); }
  }
  return [...routes].filter((route) => !/^\/(api|assets|events)\b|\.csv$/.test(route));
};

// What stands for the varying parts of a route; a route with others is to be added here.
const PLACES = { "{n}": "1", "{election}": "202611", "{ballot}": "000000001" };

/** The pages to look at: every route, and those that need a query to show anything. */
export const pages = () => page_routes().flatMap((route) => {
  const filled = route.replace(/\{\w+\}/g, (name) => {
    if (!(name in PLACES)) { throw new Error(`what stands for ${name} in ${route}?`); }
    return PLACES[name];
  });
  return filled === "/ballots" ? [filled, "/ballots?number=000000001", "/ballots?number=nothing+like+it"] : [filled];
});

const signed = (name) => ({ argv: ["--operator", name], input: `${PEOPLE[name].password}\n` });

/** Runs a command of somebody. */
export const as = (station, name, argv) => {
  const { argv: by, input } = signed(name);
  return station.run([...argv, ...by, "--json"], { input });
};

const hire = (station) => {
  const [admin, ...others] = Object.entries(PEOPLE);
  station.operator(admin[0], admin[1].role, admin[1].password);
  for (const [name, { role, password }] of others) { station.operator(name, role, password, [admin[0], admin[1].password]); }
};

const ballots = () => {
  const lines = ["ballot,voter,status,reason,receive_until"];
  for (let n = 1; n <= 40; n += 1) { lines.push(`${String(n).padStart(9, "0")},${String(n).padStart(8, "0")},mailed,,`); }
  lines.push("000000050,00000050,voided,voted_in_person,", "000000060,00000060,mailed,,", "000000061,00000060,mailed,,");
  lines.push("000000070,00000070,mailed,,2020-11-03");
  return lines;
};

/** The office with its daemon running; it must be stopped. */
export const office = async (options = {}) => {
  const station = new Station({ scanners: ["left", "right"], ...options });
  station.import(ballots());
  if (options.people !== false) { hire(station); }
  const { hostile = [] } = options;
  if (hostile.length > 0) {
    const quoted = hostile.map((text) => `"${text.replaceAll("\u0000", "").replaceAll("\"", "\"\"")}"`);
    station.import(["ballot,voter,style,status,reason",
      ...quoted.map((text, n) => `${String(900 + n).padStart(9, "0")},${String(900 + n).padStart(8, "0")},${text},voided,${text}`),
      ...quoted.map((text) => `${text},${text},,mailed,`)], "<img src=x onerror=alert(7)>.csv");
  }
  await station.start();
  return station;
};

/** Has people write these wherever they may write: a batch's place, seals and explanation, a reason, their own names. */
export const write_everywhere = (station, texts) => {
  for (const [n, text] of texts.entries()) {
    const batch = JSON.parse(as(station, "cleo", ["batch", "open", `--place=${text}`, `--seal=${text}`])).batch;
    as(station, "cleo", ["batch", "close", batch.split("-").at(-1), "--counted", "1", `--explain=${text}`]);
    as(station, "sue", ["ballot", "set", String(n + 1).padStart(9, "0"), "received", `--reason=${text}`]);
    station.operator(text, "clerk", "correct horse battery 9", ["admin", PEOPLE.admin.password], { may_fail: true });
  }
};

/** Scans one after the other, each after the answer to the one before. */
export const scan_all = async (station, payloads) => {
  for (const [n, payload] of payloads.entries()) {
    const answered = station.answers.length;
    station.scan(payload, station.scanners[n % station.scanners.length]);
    await station.answered(answered + 1);
  }
};

/** A morning's scans: some of every kind. */
export const morning = [...Array(20).keys()].map((n) => code(n + 1))
  .concat([code(1), code(60).replace(/.$/, "x"), "V00000060", code(999), code(50), code(70), code(1, "202405"), "TO BE OR NOT"]);

/** Signs somebody in on a page. */
export const sign_in = async (page, station, name) => {
  await page.goto(`${station.url}signin`);
  await page.locator("#operator").fill(name);
  await page.locator("#secret").fill(PEOPLE[name].password);
  await page.locator("main form button").click();
  await page.waitForURL((url) => !url.pathname.startsWith("/signin"));
};
