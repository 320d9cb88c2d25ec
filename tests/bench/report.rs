//! Figures, gathered and told: one table, a line per row, that can be read on the terminal and in a README.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::machine;
use crate::scale::Scale;

const WIDTHS: [usize; 6] = [63, 18, 18, 7, 34, 44];

/// What a figure counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// So many of these a second: more is better.
    PerSecond(&'static str),
    Milliseconds,
    Microseconds,
    /// So many bytes for each of these.
    BytesPer(&'static str),
    MiB,
}

/// What a row is to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Least(f64),
    Most(f64),
    LeastTimes(f64),
    MostTimes(f64),
}

/// One row: the ledger's figures, one per run, and those of what stands beside it.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    unit: Unit,
    ledger: Vec<f64>,
    reference: Vec<f64>,
    beside: String,
    targets: Vec<Target>,
}

/// The rows measured so far.
#[derive(Debug)]
pub(crate) struct Report {
    scale: Scale,
    rows: Vec<Value>,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, unit: Unit, ledger: Vec<f64>) -> Self {
        let (what, beside) = (what.into(), "–".to_owned());
        Self { what, unit, ledger, reference: Vec::new(), beside, targets: Vec::new() }
    }

    /// What stands beside it, measured in the same runs.
    pub(crate) fn beside(mut self, beside: impl Into<String>, reference: Vec<f64>) -> Self {
        self.beside = beside.into();
        self.reference = reference;
        self
    }

    /// The same, where it may be missing: then the row says why.
    pub(crate) fn beside_if(self, beside: Result<(String, Vec<f64>), String>) -> Self {
        match beside {
            Ok((beside, reference)) => self.beside(beside, reference),
            Err(why) => self.beside(why, Vec::new()),
        }
    }

    pub(crate) fn target(self, target: Target) -> Self {
        self.targets([target])
    }

    /// Any number of them.
    pub(crate) fn targets(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        self.targets.extend(targets);
        self
    }
}

impl Target {
    /// Whether it is reached; `None` where it speaks of a reference that is missing.
    fn is_met(self, ledger: f64, ratio: Option<f64>) -> Option<bool> {
        match self {
            Self::Least(bound) => Some(ledger >= bound),
            Self::Most(bound) => Some(ledger <= bound),
            Self::LeastTimes(bound) => ratio.map(|ratio| ratio >= bound),
            Self::MostTimes(bound) => ratio.map(|ratio| ratio <= bound),
        }
    }

    fn describe(self, unit: Unit) -> String {
        match self {
            Self::Least(bound) => format!("≥ {}", unit.tell(bound)),
            Self::Most(bound) => format!("≤ {}", unit.tell(bound)),
            Self::LeastTimes(bound) => format!("≥ {bound} ×"),
            Self::MostTimes(bound) => format!("≤ {bound} ×"),
        }
    }
}

impl Unit {
    /// A figure with its unit.
    fn tell(self, figure: f64) -> String {
        match self {
            Self::PerSecond(what) => format!("{} {what}/s", grouped(figure)),
            Self::Milliseconds if figure >= 100.0 => format!("{figure:.0} ms"),
            Self::Milliseconds => format!("{figure:.3} ms"),
            Self::Microseconds => format!("{figure:.1} µs"),
            Self::BytesPer(_) => format!("{figure:.1} B"),
            Self::MiB => format!("{figure:.0} MiB"),
        }
    }

    fn name(self) -> String {
        match self {
            Self::PerSecond(what) => format!("{what}/s"),
            Self::Milliseconds => "ms".to_owned(),
            Self::Microseconds => "µs".to_owned(),
            Self::BytesPer(what) => format!("bytes/{what}"),
            Self::MiB => "MiB".to_owned(),
        }
    }
}

impl Report {
    /// Begins the table.
    pub(crate) fn begin(scale: Scale) -> Self {
        println!("{}; {}, medians of {} runs\n", machine::describe(), scale.name, scale.runs);
        println!("{}", line(["what", "ledger", "reference", "ratio", "target", "beside"].map(str::to_owned)));
        println!("|{}|", WIDTHS.map(|width| "-".repeat(width + 2)).join("|"));
        Self { scale, rows: Vec::new() }
    }

    /// Adds a row to the table.
    pub(crate) fn add(&mut self, row: Row) {
        let ledger = median(&row.ledger).expect("a row is measured");
        let reference = median(&row.reference);
        let ratio = reference.map(|reference| ledger / reference);
        let met: Vec<Option<bool>> = row.targets.iter().map(|target| target.is_met(ledger, ratio)).collect();
        let none = || "–".to_owned();
        println!(
            "{}",
            line([
                row.what.clone(),
                row.unit.tell(ledger),
                reference.map_or_else(none, |reference| row.unit.tell(reference)),
                ratio.map_or_else(none, |ratio| format!("{ratio:.2}")),
                targets(&row, &met),
                row.beside.clone(),
            ])
        );
        self.rows.push(json!({
            "row": row.what, "unit": row.unit.name(), "ledger": ledger, "reference": reference, "ratio": ratio,
            "beside": row.beside, "ledger_runs": row.ledger, "reference_runs": row.reference,
            "targets": row.targets.iter().map(|target| target.describe(row.unit)).collect::<Vec<_>>(), "met": met,
        }));
    }

    /// Writes what was gathered as JSON.
    pub(crate) fn write(&self) {
        let document = json!({
            "machine": machine::describe(), "scale": self.scale.name, "events": self.scale.events,
            "runs": self.scale.runs, "rows": self.rows,
        });
        let text = serde_json::to_string_pretty(&document).expect("it is JSON");
        let path = machine::bench_dir().join("bench.json");
        fs::write(&path, text).expect("the target folder can be written");
        println!("\nThe same as JSON: {}", shown(&path));
    }
}

fn shown(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn targets(row: &Row, met: &[Option<bool>]) -> String {
    let told = row.targets.iter().zip(met).map(|(target, met)| {
        let met = match met {
            Some(true) => " ✓",
            Some(false) => " ✗",
            None => "",
        };
        format!("{}{met}", target.describe(row.unit))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "–".to_owned() } else { told.join(", ") }
}

fn line(cells: [String; 6]) -> String {
    let cells: Vec<String> = cells.iter().zip(WIDTHS).map(|(cell, width)| format!(" {cell:<width$} ")).collect();
    format!("|{}|", cells.join("|"))
}

/// The middle one; of an even number the upper one of the two.
pub(crate) fn median(figures: &[f64]) -> Option<f64> {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// A quantile of figures, in their order.
pub(crate) fn quantile(figures: &mut [f64], quantile: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let index = (figures.len() as f64 * quantile).ceil() as usize;
    figures[index.saturating_sub(1).min(figures.len() - 1)]
}

/// The same quantile of each run.
pub(crate) fn quantiles(runs: &mut [Vec<f64>], at: f64) -> Vec<f64> {
    runs.iter_mut().map(|figures| quantile(figures, at)).collect()
}

/// A count, as it stands in the name of a row.
pub(crate) fn count(number: u64) -> String {
    grouped(number as f64)
}

/// A whole number, in groups of three.
fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}
