//! Figures, gathered and told.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::machine;

/// The rows measured so far.
pub(crate) struct Report {
    runs: usize,
    rows: Vec<Value>,
}

impl Report {
    pub(crate) fn new(runs: usize) -> Self {
        println!("{:<58} {:>12} {:>12} {:>7}   beside", "row (medians of the runs)", "ledger", "reference", "ratio");
        Self { runs, rows: Vec::new() }
    }

    /// Adds a row: the subject's figures and the reference's, one each per run.
    pub(crate) fn add(&mut self, row: &str, unit: &str, beside: &str, ledger: &mut [f64], reference: &mut [f64]) {
        let (ledger, reference) = (median(ledger), median(reference));
        let ratio = ledger / reference;
        println!("{:<58} {ledger:>12.0} {reference:>12.0} {ratio:>7.2}   {beside}", format!("{row}, {unit}"));
        self.rows.push(json!({
            "row": row, "unit": unit, "ledger": ledger, "reference": reference, "beside": beside, "ratio": ratio
        }));
    }

    /// Writes what was gathered as JSON.
    pub(crate) fn write(&self) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
        fs::create_dir_all(&dir).expect("the target folder can be written");
        let document = json!({"machine": machine::describe(), "runs": self.runs, "rows": self.rows});
        let text = serde_json::to_string_pretty(&document).expect("it is JSON");
        fs::write(dir.join("bench.json"), text).expect("the target folder can be written");
    }
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
