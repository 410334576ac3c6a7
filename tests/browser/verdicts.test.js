// A scan at a real daemon, and what the clerk sees and hears of it on the page in Chromium, for every verdict.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { launch, open } from "./support/chrome.js";
import { face } from "./support/face.js";
import { Station, code, eventually, free_port } from "./support/station.js";
import { words } from "./support/words.js";

const FACES = {
  good: { colour: "rgb(11, 107, 46)", shape: "s-good", answer: "06" },
  notice: { colour: "rgb(255, 176, 0)", shape: "s-notice", answer: "07" },
  bad: { colour: "rgb(164, 0, 29)", shape: "s-bad", answer: "15" },
  alarm: { colour: "rgb(0, 0, 0)", shape: "s-alarm", answer: "18" },
  found: { colour: "rgb(67, 49, 127)", shape: "s-found", answer: "07" },
  command: { colour: "rgb(11, 79, 158)", shape: "s-command", answer: "07" },
};

const MAIL_BALLOTS = [
  "ballot,voter,imb,status,reason,receive_until",
  ...[1, 2, 3, 4].map((n) => `${String(n).padStart(9, "0")},0000000${n},,mailed,,`),
  "000000005,00000005,901234567000001,mailed,,",
  "000000050,00000050,,voided,voted_in_person,",
  "000000060,00000060,,mailed,,",
  "000000061,00000060,,mailed,,",
  "000000070,00000070,,mailed,,2020-11-03",
];

// In their order: what each leaves behind, the next ones find. `batch` opens one first.
const SCANS = [
  { payload: code(1), verdict: "received", tone: "good", ballot: "000000001" },
  { payload: code(2), verdict: "received", tone: "good", ballot: "000000002" },
  { payload: code(1), verdict: "already_received", tone: "notice", ballot: "000000001", why: /received.*left/ },
  { payload: "V00000060", verdict: "held", tone: "notice", why: /several open ballots/ },
  { payload: code(999), verdict: "not_issued", tone: "bad" },
  { payload: code(50), verdict: "voided", tone: "bad", ballot: "000000050", why: /voted in person/ },
  { payload: code(1, "202405"), verdict: "wrong_election", tone: "bad" },
  { payload: code(70), verdict: "late", tone: "bad", ballot: "000000070", why: /was due 2020-11-03/ },
  { payload: "00715901234567000001", verdict: "outbound_piece", tone: "bad", ballot: "000000005" },
  { payload: "TO BE OR NOT", verdict: "unreadable", tone: "bad" },
  { payload: `${code(5).slice(0, -1)}${(Number(code(5).at(-1)) + 1) % 10}`, verdict: "unreadable", tone: "bad", why: /check digit/ },
  { picture: [code(4), code(5)], verdict: "ambiguous", tone: "bad", why: /two ballots/ },
  { batch: ["--mode", "accept"], payload: code(1), verdict: "accepted", tone: "good", ballot: "000000001" },
  { payload: code(3), verdict: "refused", tone: "bad", ballot: "000000003", why: /accept/ },
  { batch: ["--mode", "needs_attention", "--attention", "signature_missing"], payload: code(2), verdict: "needs_attention",
    tone: "good", ballot: "000000002" },
  { batch: ["--mode", "undeliverable"], payload: code(4), verdict: "undeliverable", tone: "good", ballot: "000000004" },
  { batch: ["--mode", "lookup"], payload: code(1), verdict: "found", tone: "found", ballot: "000000001", why: /accepted/ },
];

const shown = (page) => page.evaluate(() => {
  const text = (id) => document.getElementById(id).textContent;
  const shapes = [...document.querySelectorAll(".shape g")].filter((g) => getComputedStyle(g).display !== "none");
  return {
    verdict: document.getElementById("main").dataset.verdict, number: Number(document.getElementById("main").dataset.number),
    colour: getComputedStyle(document.querySelector("section.verdict")).backgroundColor,
    shapes: shapes.map((g) => g.getAttribute("class")), sounded: document.body.dataset.sounded,
    says: text("says"), why: text("why"), todo: text("todo"), about: text("about"), text: text("text"), live: text("live"),
    batch: text("batch"), batch_scans: Number(text("batch-scans")), day_scans: Number(text("day-scans")),
    day: [text("day-good"), text("day-notice"), text("day-bad")].map(Number), rows: document.querySelectorAll("#scans tr").length,
    first_row: document.querySelector("#scans tr")?.textContent,
  };
});

/** The codes of this station's command sheets, as the county's own program would get them. */
const codes = async (page, station) => {
  const { csrf } = await (await page.request.get(`${station.url}api/v1/session`)).json();
  const answer = await page.request.post(`${station.url}api/v1/sheets`, { headers: { "x-csrf-token": csrf } });
  assert.equal(answer.status(), 200);
  return (await answer.json()).codes;
};

describe("a scan is shown", () => {
  let browser;
  let station;
  let page;
  let spanish;
  const batches = {};
  let day = [0, 0, 0, 0];
  let open_batch;

  before(async () => {
    station = new Station({
      more: (folder) => {
        fs.mkdirSync(path.join(folder, "pictures"));
        return `[[scanner]]\nname = "pictures"\nprofile = "folder"\npath = "${folder}/pictures"\n`;
      },
    });
    station.import(MAIL_BALLOTS);
    browser = await launch();
    await station.start();
    page = await open(browser, station);
    spanish = await open(browser, station, { locale: "es-US" });
    for (const one of [page, spanish]) {
      await one.goto(station.url);
      await one.waitForFunction(() => document.querySelector("#batch-scans").textContent === "0");
    }
  });

  after(async () => {
    await browser?.close();
    await station?.stop();
  });

  const begin_batch = (argv) => {
    if (open_batch) { station.run(["batch", "close", open_batch.split("-").at(-1), "--counted", String(batches[open_batch])]); }
    open_batch = JSON.parse(station.run(["batch", "open", ...argv, "--json"])).batch;
  };

  const bring = (scan) => {
    if (scan.picture) {
      const file = path.join(station.folder, "face.part");
      fs.writeFileSync(file, face(...scan.picture));
      fs.renameSync(file, path.join(station.folder, "pictures", "face.png"));
    } else {
      station.scan(scan.payload);
    }
  };

  SCANS.forEach((scan, place) => test(`${scan.verdict} (scan ${place + 1})`, async () => {
    if (scan.batch) { begin_batch(scan.batch); }
    const answered = station.answers.length;
    bring(scan);
    await page.waitForFunction((n) => Number(document.getElementById("main").dataset.number) === n, place + 1);
    const now = await shown(page);
    batches[now.batch] = (batches[now.batch] ?? 0) + 1;
    const column = { good: 1, notice: 2, bad: 3 }[scan.tone];
    day = day.map((n, at) => n + (at === 0 || at === column ? 1 : 0));
    const [en, es] = ["en", "es"].map((lang) => words(lang)[`verdict.${scan.verdict}.says`]);
    const expected = FACES[scan.tone];
    assert.deepEqual(
      [now.verdict, now.says, now.colour, now.shapes, now.sounded],
      [scan.verdict, en, expected.colour, [expected.shape], scan.tone],
    );
    assert.match(now.why, scan.why ?? /^/);
    // What names no ballot is shown as it was read, until the next scan.
    assert.equal(now.text, scan.ballot ? "" : scan.payload ?? scan.picture[0]);
    if (scan.ballot) { assert.ok(now.about.startsWith(scan.ballot), now.about); }
    for (const part of [now.says, now.why, now.todo, now.batch].filter(Boolean)) { assert.ok(now.live.includes(part), now.live); }
    assert.ok(now.live.startsWith(en), now.live);

    assert.deepEqual([now.day_scans, ...now.day], day);
    assert.equal(now.batch_scans, batches[now.batch]);
    assert.ok(now.first_row.startsWith(`${now.batch} \u00b7 ${now.batch_scans}`), now.first_row);
    assert.equal(now.rows, Math.min(place + 1, 10));

    await spanish.waitForFunction((text) => document.getElementById("live").textContent.startsWith(text), es);
    if (!scan.picture) {
      await eventually("the scanner's answer", () => station.answers.length > answered);
      assert.equal(station.answers.at(-1).answer, expected.answer);
    }
    assert.deepEqual([page.faults, spanish.faults], [[], []]);
  }));

  test("command: a command sheet's code is shown as what it asked for, and counts as no envelope", async () => {
    const sheet = await codes(page, station);
    const before = await shown(page);
    const answered = station.answers.length;
    station.scan(sheet.find(({ order }) => order === "V").payload);
    await page.waitForFunction((n) => Number(document.getElementById("main").dataset.number) === n, SCANS.length + 1);
    const now = await shown(page);
    const expected = FACES.command;
    assert.deepEqual(
      [now.verdict, now.says, now.why, now.colour, now.shapes, now.sounded, now.about, now.text],
      ["command", words("en")["verdict.command.says"], "a supervisor is called", expected.colour, [expected.shape], "command", "", ""],
    );
    assert.deepEqual([now.batch, now.batch_scans, now.day_scans, now.day], [before.batch, before.batch_scans, before.day_scans, before.day]);
    assert.ok(now.live.startsWith(now.says) && now.live.includes(now.why), now.live);
    await spanish.waitForFunction((text) => document.getElementById("live").textContent.startsWith(text), words("es")["verdict.command.says"]);
    await eventually("the scanner's answer", () => station.answers.length > answered);
    assert.equal(station.answers.at(-1).answer, expected.answer);
  });

  test("refused: a damaged command code changes nothing and says what it is", async () => {
    const sheet = await codes(page, station);
    const undo = sheet.find(({ order }) => order === "U").payload;
    station.scan(undo.replace(/.$/, (last) => (last === "0" ? "1" : "0")));
    await page.waitForFunction((n) => Number(document.getElementById("main").dataset.number) === n, SCANS.length + 2);
    const now = await shown(page);
    assert.deepEqual([now.verdict, now.colour, now.shapes, now.sounded], ["refused", FACES.bad.colour, [FACES.bad.shape], "bad"]);
    assert.match(now.why, /no code that this station printed/);
    assert.deepEqual([page.faults, spanish.faults], [[], []]);
  });

  test("a page that is opened later shows the last verdict, and sounds nothing", async () => {
    const late = await open(browser, station);
    await late.goto(station.url);
    await late.waitForFunction(() => document.querySelectorAll("#scans tr").length === 10);
    const [now, there] = [await shown(late), await shown(page)];
    assert.deepEqual([now.says, now.about, now.colour, now.shapes, now.sounded], [there.says, there.about, there.colour, there.shapes, undefined]);
    await late.context().close();
  });

  test("a scanner that is pulled out is a trouble on the page until it is back", async () => {
    fs.renameSync(path.join(station.folder, "tty/left"), path.join(station.folder, "tty/gone"));
    const text = words("en")["trouble.scanner"].replace("{name}", "left");
    station.lines.stdin.end();
    await page.getByText(text).waitFor();
    assert.equal(await page.locator("#troubles li.alarm").count(), 1);
  });

  test("a station that is gone is told, and not shown as if it were there", async () => {
    station.daemon.kill("SIGTERM");
    await page.locator("#lost:visible").waitFor();
    assert.equal(await page.locator("#lost").textContent(), words("en")["clerk.lost"]);
  });
});

describe("a disk that fails", () => {
  test("is the alarm and never the good tone, and scanning goes on when it is mended", async (t) => {
    const station = new Station();
    const disk = station.break_disk();
    station.issue(1, 3);
    const browser = await launch();
    t.after(async () => {
      await browser.close();
      await station.stop();
    });
    await station.start();
    const page = await open(browser, station);
    await page.goto(station.url);
    await page.waitForFunction(() => document.querySelector("#batch-scans").textContent === "0");
    disk.tell("sync.always");
    station.scan(code(1));
    await page.waitForFunction(() => document.getElementById("main").dataset.verdict === "fault");
    const now = await shown(page);
    const en = words("en");
    assert.deepEqual(
      [now.says, now.todo, now.colour, now.shapes, now.sounded],
      [en["verdict.fault.says"], en["verdict.fault.todo"], FACES.alarm.colour, ["s-alarm"], "alarm"],
    );
    assert.ok(now.live.startsWith(en["verdict.fault.says"]), now.live);
    await page.getByText(en["trouble.ledger"]).waitFor();
    await eventually("the scanner's answer", () => station.answers.length === 1);
    assert.equal(station.answers[0].answer, FACES.alarm.answer);
    disk.mend("sync.always");
    await page.getByText(en["trouble.ledger"]).waitFor({ state: "detached" });
    station.scan(code(2));
    await page.waitForFunction(() => document.getElementById("main").dataset.verdict === "received");
    assert.deepEqual((await shown(page)).shapes, ["s-good"]);
  });
});

describe("a daemon that begins anew", () => {
  // The ledger has no faults: its newest scan, which is good, must not take the place of a STOP, nor of nothing.
  test("shows no earlier scan as a verdict, and a STOP stays until something is scanned", async (t) => {
    const station = new Station({ page: `127.0.0.1:${await free_port()}` });
    const disk = station.break_disk();
    station.issue(1, 4);
    const browser = await launch();
    t.after(async () => {
      await browser.close();
      await station.stop();
    });
    await station.start();
    const page = await open(browser, station);
    await page.goto(station.url);
    await page.waitForFunction(() => document.getElementById("troubles").dataset.shown !== undefined);
    const scans_as = async (n, verdict) => {
      station.scan(code(n));
      await page.waitForFunction((name) => document.getElementById("main").dataset.verdict === name, verdict);
    };
    const begins_anew = async () => {
      await station.restart(() => page.locator("#lost:visible").waitFor());
      await page.locator("#lost").waitFor({ state: "hidden" });
      return shown(page);
    };
    const en = words("en");

    await scans_as(1, "received");
    let now = await begins_anew();
    assert.deepEqual([now.verdict, now.says, now.shapes, now.about], [undefined, en["clerk.idle"], ["s-idle"], ""]);
    assert.ok(now.first_row.includes(en["verdict.received.says"]), now.first_row);

    await scans_as(2, "received");
    disk.tell("sync.always");
    await scans_as(3, "fault");
    disk.mend("sync.always");
    now = await begins_anew();
    assert.deepEqual([now.verdict, now.says, now.shapes], ["fault", en["verdict.fault.says"], ["s-alarm"]]);
    assert.ok(now.first_row.includes(en["verdict.received.says"]), now.first_row);
    await scans_as(4, "received");
    assert.deepEqual((await shown(page)).shapes, ["s-good"]);
  });
});

describe("practice", () => {
  test("is unmistakable on the page", async (t) => {
    const station = new Station();
    const browser = await launch();
    t.after(async () => {
      await browser.close();
      await station.stop();
    });
    station.issue(1, 1);
    await station.start(["--practice"]);
    const page = await open(browser, station);
    await page.goto(station.url);
    const mark = words("en")["practice.mark"];
    assert.ok(await page.locator(".practice-mark").isVisible());
    assert.ok((await page.title()).startsWith(mark));
    assert.equal(await page.locator("body").evaluate((body) => getComputedStyle(body).borderTopColor), "rgb(179, 71, 0)");
    station.scan(code(1));
    await page.waitForFunction(() => document.getElementById("main").dataset.verdict !== undefined);
    assert.ok(await page.locator(".practice-mark").isVisible());
    assert.deepEqual(page.faults, []);
  });
});
