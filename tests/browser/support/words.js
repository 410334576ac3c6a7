// The texts of the pages by key, read from the tables that the daemon has them from.
import fs from "node:fs";
import path from "node:path";
import { ROOT } from "./station.js";

/** The texts of a language: `words("en")["verdict.received.says"]`. */
export const words = (lang, where = "src/desk/words") => {
  const texts = {};
  const folder = path.join(ROOT, where);
  for (const name of fs.readdirSync(folder).filter((file) => file.startsWith(lang))) { read(path.join(folder, name), texts); }
  return texts;
};

const read = (file, texts) => {
  let section = "";
  for (const line of fs.readFileSync(file, "utf8").split("\n")) {
    const head = line.match(/^\[([\w.]+)\]$/);
    const entry = line.match(/^(\w+) = (".*")$/);
    if (head) { section = `${head[1]}.`; }
    if (entry) { texts[section + entry[1]] = JSON.parse(entry[2]); }
  }
};
