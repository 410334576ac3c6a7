// The API against its own OpenAPI document, by schemathesis: no server error, and no answer that the document does not have.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { PEOPLE, morning, office, scan_all } from "./support/office.js";

const PROGRAM = process.env.SCHEMATHESIS ?? "schemathesis";
const EXAMPLES = process.env.BALLOT_INTAKE_LONG ? "100" : "8";
const CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"];

/** Operations that end the session in which all others are tried. */
const OF_SESSIONS = "^/api/v1/session";

const schemathesis = (argv) => new Promise((resolve, reject) => {
  const child = spawn(PROGRAM, argv, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) { stream.on("data", (text) => { said += text; }); }
  child.on("error", reject);
  child.on("exit", (status) => resolve({ status, said }));
});

describe("the API", () => {
  let station;
  let document;

  before(async () => {
    station = await office();
    await scan_all(station, morning);
    document = `${station.url}api/v1/openapi.json`;
  });

  after(() => station?.stop());

  const session = async (name) => {
    const anonymous = await (await fetch(`${station.url}api/v1/session`)).json();
    const signed = await fetch(`${station.url}api/v1/session`, {
      method: "POST", headers: { "content-type": "application/json", "x-csrf-token": anonymous.csrf },
      body: JSON.stringify({ operator: name, secret: PEOPLE[name].password }),
    });
    assert.equal(signed.status, 200);
    const [cookie] = signed.headers.get("set-cookie").split(";");
    return ["-H", `Cookie: ${cookie}`, "-H", `x-csrf-token: ${(await signed.json()).csrf}`];
  };

  const holds = async (argv) => {
    const { status, said } = await schemathesis(["run", document, "--checks", CHECKS.join(","), "--max-examples", EXAMPLES, "--seed", "1",
      "--suppress-health-check", "all", "--no-color", ...argv]);
    assert.equal(status, 0, said);
  };

  // The administrator last: among what is tried is to disable whoever there is.
  for (const name of ["ada", "admin"]) {
    test(`is as its document says for ${PEOPLE[name].role}`, async () => {
      await holds([...await session(name), "--exclude-path-regex", OF_SESSIONS]);
    });
  }

  test("is as its document says for whoever is not signed in", () => holds([]));

  test("asks everybody for their role", async () => {
    const { paths } = await (await fetch(document)).json();
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        if (!operation["x-role"]) { continue; }
        const place = path.replace(/\{\w+\}/g, "1");
        const answer = await fetch(new URL(place, station.url), { method: method.toUpperCase(), headers: { "content-type": "application/json" } });
        assert.ok([401, 403].includes(answer.status), `${method} ${path}: ${answer.status}`);
      }
    }
  });

  test("goes on, and the ledger holds", async () => {
    station.run(["ledger", "verify"]);
    assert.equal((await fetch(document)).status, 200);
    assert.ok(!station.logged().includes("PagesFailed"), station.logged());
  });
});
