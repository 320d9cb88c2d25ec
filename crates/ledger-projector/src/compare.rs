//! Two views of one log, held against each other row by row.
//!
//! Layout, the shape of lists and the order of commits may differ; what is kept of deliveries, the stats, the
//! order and totals of lists, and the checkpoint may not. Every field of a row is compared, by its name.

use std::collections::BTreeMap;
use std::fmt;

use ledger_event::Timestamp;
use ledger_views::{DeliveryKey, ListEntry, ListId, Marks, Quarter, ReadModel, ScopeName, SubscriptionKey, ViewsError};
use serde::Serialize;
use serde_json::Value;

/// How many entries of a list are compared at a time.
const ENTRIES_AT_A_TIME: usize = 1000;

/// Most characters of a value that a difference shows.
const VALUE_MAX_CHARS: usize = 200;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Deliveries that were compared.
    pub deliveries: u64,
    /// Subscriptions whose stats were compared.
    pub subscriptions: u64,
    /// Lists that were compared.
    pub lists: u64,
    /// Entries of those lists.
    pub entries: u64,
    /// The first differences, up to the bound that was asked for.
    pub differences: Vec<Difference>,
    /// How many there are in all.
    pub difference_count: u64,
}

impl Comparison {
    /// How many rows were compared: deliveries, stats, entries of lists, and the checkpoint.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.deliveries + self.subscriptions + self.entries + 1
    }
}

/// A field in which the views differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of what.
    pub of: Subject,
    /// Which field: names and attempt numbers, parted by dots.
    pub field: String,
    /// What the views say.
    pub views: String,
    /// What the log says.
    pub log: String,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// How far the views have come, or how many deliveries wait.
    Checkpoint,
    /// A delivery.
    Delivery(DeliveryKey),
    /// The stats of a subscription or a workspace.
    Stats(ScopeName),
    /// A list.
    List(ListId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subscription = |f: &mut fmt::Formatter<'_>, key: &SubscriptionKey| {
            write!(f, "workspace {} subscription {}", key.workspace_id, key.subscription_id)
        };
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Delivery(key) => {
                subscription(f, &key.subscription)?;
                write!(f, " delivery {}", key.delivery_id)
            }
            Self::Stats(ScopeName::Subscription(key)) | Self::List(ListId::Subscription(key)) => subscription(f, key),
            Self::Stats(ScopeName::Workspace(workspace_id))
            | Self::List(ListId::Workspace(workspace_id) | ListId::Waiting(workspace_id)) => {
                write!(f, "workspace {workspace_id}")
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: the views have {}, the log says {}", self.of, self.field, self.views, self.log)
    }
}

/// Why views could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The views in question.
    #[error("the views cannot be read")]
    Views(#[source] ViewsError),
    /// Those that were made anew.
    #[error("the views that were made anew cannot be read")]
    Rebuilt(#[source] ViewsError),
}

/// Compares views with those that were made anew from the log. `progress` is told of each delivery.
///
/// Nothing may be written meanwhile.
///
/// # Errors
///
/// When either cannot be read.
pub fn compare(
    views: &ReadModel,
    rebuilt: &ReadModel,
    differences_max: usize,
    mut progress: impl FnMut(u64),
) -> Result<Comparison, CompareError> {
    let mut comparing = Comparing { views, rebuilt, differences_max, found: Comparison::default() };
    comparing.checkpoint();
    comparing.deliveries(&mut progress)?;
    comparing.stats()?;
    comparing.lists()?;
    Ok(comparing.found)
}

struct Comparing<'a> {
    views: &'a ReadModel,
    rebuilt: &'a ReadModel,
    differences_max: usize,
    found: Comparison,
}

impl Comparing<'_> {
    fn checkpoint(&mut self) {
        self.hold(&Subject::Checkpoint, &self.views.checkpoint(), &self.rebuilt.checkpoint());
    }

    fn deliveries(&mut self, progress: &mut impl FnMut(u64)) -> Result<(), CompareError> {
        for right in self.rebuilt.all_deliveries() {
            let right = right.map_err(CompareError::Rebuilt)?;
            let kept = self.views.kept_delivery(&right.key).map_err(CompareError::Views)?;
            self.found.deliveries += 1;
            progress(self.found.deliveries);
            let of = Subject::Delivery(right.key);
            match kept {
                Some(kept) => {
                    self.hold(&of, &kept.state, &right.state);
                    self.hold_values(&of, "payload", &json(&kept.payload), &json(&right.payload));
                }
                None => self.differ(of, "the row", "none", "there is one"),
            }
        }
        for kept in self.views.all_deliveries() {
            let key = kept.map_err(CompareError::Views)?.key;
            if self.rebuilt.kept_delivery(&key).map_err(CompareError::Rebuilt)?.is_none() {
                self.differ(Subject::Delivery(key), "the row", "one", "there is none");
            }
        }
        Ok(())
    }

    fn stats(&mut self) -> Result<(), CompareError> {
        for name in self.rebuilt.all_scopes() {
            let name = name.map_err(CompareError::Rebuilt)?;
            self.found.subscriptions += u64::from(matches!(name, ScopeName::Subscription(_)));
            self.stats_of(&name)?;
        }
        for name in self.views.all_scopes() {
            let name = name.map_err(CompareError::Views)?;
            if self.rebuilt.kept_stats(&name).map_err(CompareError::Rebuilt)?.is_none() {
                self.stats_of(&name)?;
            }
        }
        Ok(())
    }

    /// Compares stats and quarters of an hour, where those that are missing are zeros.
    fn stats_of(&mut self, name: &ScopeName) -> Result<(), CompareError> {
        let of = Subject::Stats(name.clone());
        let kept = self.views.kept_stats(name).map_err(CompareError::Views)?.unwrap_or_default();
        let right = self.rebuilt.kept_stats(name).map_err(CompareError::Rebuilt)?.unwrap_or_default();
        self.hold(&of, &kept, &right);
        let by_start = |quarters: Vec<(Timestamp, Quarter)>| -> BTreeMap<String, Quarter> {
            quarters.into_iter().map(|(start, quarter)| (format!("the quarter from {start}"), quarter)).collect()
        };
        let kept = by_start(self.views.kept_quarters(name).map_err(CompareError::Views)?);
        let right = by_start(self.rebuilt.kept_quarters(name).map_err(CompareError::Rebuilt)?);
        self.hold(&of, &kept, &right);
        Ok(())
    }

    fn lists(&mut self) -> Result<(), CompareError> {
        for list in self.rebuilt.all_lists() {
            self.found.lists += 1;
            self.list(list.map_err(CompareError::Rebuilt)?)?;
        }
        for list in self.views.all_lists() {
            let list = list.map_err(CompareError::Views)?;
            if self.rebuilt.kept_list(&list).map_err(CompareError::Rebuilt)?.is_none() {
                self.list(list)?;
            }
        }
        Ok(())
    }

    /// Compares a list, up to its first difference: behind it every place may differ.
    fn list(&mut self, list: ListId) -> Result<(), CompareError> {
        let kept = self.views.kept_list(&list).map_err(CompareError::Views)?.unwrap_or_default();
        let right = self.rebuilt.kept_list(&list).map_err(CompareError::Rebuilt)?.unwrap_or_default();
        let name = match &list {
            ListId::Workspace(_) | ListId::Subscription(_) => "history",
            ListId::Waiting(_) => "waiting list",
        };
        let of = Subject::List(list.clone());
        if kept.total != right.total {
            self.differ(of.clone(), &format!("{name}, total"), &kept.total.to_string(), &right.total.to_string());
        }
        self.hold_values(&of, &format!("{name}, counts"), &json(&kept.counts), &json(&right.counts));
        let mut offset = 0;
        loop {
            let kept = self.views.list_entries(&list, offset, ENTRIES_AT_A_TIME).map_err(CompareError::Views)?;
            let right = self.rebuilt.list_entries(&list, offset, ENTRIES_AT_A_TIME).map_err(CompareError::Rebuilt)?;
            let same = kept.iter().zip(&right).take_while(|(kept, right)| kept == right).count();
            self.found.entries += same as u64;
            if same < kept.len().max(right.len()) {
                let place = format!("{name}, place {} from the newest", offset + same as u64);
                self.differ(Subject::List(list), &place, &entry(kept.get(same)), &entry(right.get(same)));
                return Ok(());
            }
            if same < ENTRIES_AT_A_TIME {
                return Ok(());
            }
            offset += same as u64;
        }
    }

    fn hold<T: Serialize + PartialEq>(&mut self, of: &Subject, kept: &T, right: &T) {
        if kept != right {
            self.hold_values(of, "", &json(kept), &json(right));
        }
    }

    /// Goes down to the fields that differ.
    fn hold_values(&mut self, of: &Subject, field: &str, kept: &Value, right: &Value) {
        if kept == right {
            return;
        }
        let (Value::Object(kept), Value::Object(right)) = (kept, right) else {
            return self.differ(of.clone(), field, &shown(kept), &shown(right));
        };
        let more = right.keys().filter(|name| !kept.contains_key(*name));
        for name in kept.keys().chain(more) {
            let field = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
            let value = |of: &serde_json::Map<String, Value>| of.get(name).cloned().unwrap_or(Value::Null);
            self.hold_values(of, &field, &value(kept), &value(right));
        }
    }

    fn differ(&mut self, of: Subject, field: &str, views: &str, log: &str) {
        self.found.difference_count += 1;
        if self.found.differences.len() < self.differences_max {
            let (field, views, log) = (field.to_owned(), views.to_owned(), log.to_owned());
            self.found.differences.push(Difference { of, field, views, log });
        }
    }
}

fn json<T: Serialize>(row: &T) -> Value {
    serde_json::to_value(row).expect("rows are plain maps, text and integers")
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn entry(entry: Option<&(ListEntry, Marks)>) -> String {
    let shown = |(entry, marks): &(ListEntry, Marks)| {
        let ids = format!("{} of {}", entry.delivery_id, entry.subscription_id);
        format!("{ids}, outcome {}, responses {}xx, type {}", marks.outcome, marks.response_class, marks.event_type)
    };
    entry.map_or("none".to_owned(), shown)
}
