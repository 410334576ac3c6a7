//! No statement of the ledger's thread walks through a table that grows.

use crate::station::Station;
use regex::Regex;
use std::path::Path;

/// Files whose statements run while somebody waits: for a tone, for a report, for a page of an export.
const FILES: [&str; 21] = [
    "apply.rs",
    "apply/waits.rs",
    "batches.rs",
    "batches/count.rs",
    "book.rs",
    "correct.rs",
    "export.rs",
    "import/codes.rs",
    "import/stage.rs",
    "judge.rs",
    "outbox.rs",
    "report.rs",
    "report/batch.rs",
    "report/day.rs",
    "report/exceptions.rs",
    "report/pages.rs",
    "report/pulled.rs",
    "report/reconciliation.rs",
    "report/story.rs",
    "rows.rs",
    "tally.rs",
];

/// Tables that grow with every envelope.
const GROWING: [&str; 7] =
    ["ballot", "code", "event", "exception", "import_change", "outbox", "tally"];

/// Statements that read the chain from its end, up to a bound.
const FROM_THE_END: &str = "FROM event ORDER BY seq DESC LIMIT";

fn statements() -> Vec<String> {
    let literal =
        Regex::new(r#""((?:SELECT|UPDATE|DELETE|INSERT) (?:[^"\\]|\\.|\\\n)*)""#).unwrap();
    let macro_call = Regex::new(r#"ballots!\("([^"]*)"\)"#).unwrap();
    let joint = Regex::new(r"\\\n\s*").unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger");
    let mut statements = Vec::new();
    for file in FILES {
        let source = std::fs::read_to_string(folder.join(file)).unwrap();
        let found = literal
            .captures_iter(&source)
            .map(|found| joint.replace_all(&found[1], "").replace("{SAME_CODE_MAX}", "16"));
        // The head of the macro's statements is none by itself.
        statements.extend(found.filter(|sql| !sql.ends_with(", ")));
        let by_macro = macro_call.captures_iter(&source);
        statements.extend(by_macro.map(|call| format!("SELECT * FROM ballot WHERE {}", &call[1])));
    }
    statements
}

#[test]
fn every_statement_finds_its_rows_by_an_index() {
    let station = Station::default();
    let conn = rusqlite::Connection::open(station.path()).unwrap();
    let statements = statements();
    assert!(statements.len() > 20, "{statements:#?}");
    for sql in statements.iter().filter(|sql| !sql.contains(FROM_THE_END)) {
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        for n in 1..=plan.parameter_count() {
            plan.raw_bind_parameter(n, 1).unwrap();
        }
        let mut steps = plan.raw_query();
        while let Some(step) = steps.next().unwrap() {
            let step: String = step.get(3).unwrap();
            for table in GROWING {
                assert!(!step.starts_with(&format!("SCAN {table}")), "{step}: {sql}");
            }
            // What people list may be sorted.
            let sorted = step.contains("USE TEMP B-TREE") && !sql.contains("INDEXED BY");
            assert!(!sorted, "{step}: {sql}");
        }
    }
}
