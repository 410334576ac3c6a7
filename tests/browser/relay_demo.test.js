// The demonstration of the relay, fed by the daemon's own: both real programs, to their end.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { ROOT } from "./support/station.js";

const program = (name, of) => process.env[of] ?? path.join(ROOT, "target/debug", name);

test("the demonstration takes what the daemon sends, tells everybody, and ends well", () => {
  const argv = ["demo", "--once", "--intake", program("ballot-intake", "BALLOT_INTAKE")];
  const done = spawnSync(program("ballot-relay", "BALLOT_RELAY"), argv, { encoding: "utf8", timeout: 240_000 });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  const [, events, letters, confirmed] = done.stdout.match(/(\d+) events taken, (\d+) e-mails handed over, (\d+) texts and calls confirmed, 0 lost/);
  for (const n of [events, letters, confirmed]) { assert.ok(Number(n) > 100, done.stdout); }
});
