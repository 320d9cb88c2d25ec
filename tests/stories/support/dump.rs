//! Everything that the documented endpoints say about a workspace, to be compared with itself later.

use std::collections::BTreeMap;

use serde_json::Value;

use super::client::Client;

/// The rows of the workspace's history in their order, and the stats of each of its webhooks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dump {
    pub(crate) rows: Vec<Value>,
    pub(crate) stats: BTreeMap<String, Value>,
}

impl Dump {
    /// Reads all pages of the workspace, and of each subscription, which must say the same.
    pub(crate) async fn of(client: &Client, workspace: &str) -> Self {
        let rows = pages(client, &format!("workspace_id={workspace}")).await;
        let mut by_subscription: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for row in &rows {
            by_subscription.entry(text(&row["subscription_id"])).or_default().push(row);
        }
        let mut stats = BTreeMap::new();
        for (subscription, own_rows) in &by_subscription {
            let own = pages(client, &format!("workspace_id={workspace}&subscription_id={subscription}")).await;
            assert_eq!(own.iter().collect::<Vec<_>>(), *own_rows, "the lists of {subscription} differ");
            stats.insert(subscription.clone(), client.stats(subscription).await.expect_status(200).json());
        }
        Self { rows, stats }
    }

    /// The row of a delivery, and that there is one at most.
    pub(crate) fn row(&self, delivery: &str) -> Option<&Value> {
        let mut rows = self.rows.iter().filter(|row| row["id"] == delivery);
        let row = rows.next();
        assert!(rows.next().is_none(), "{delivery} is there twice");
        row
    }

    /// The sum of a figure over all webhooks.
    pub(crate) fn sum(&self, figure: &str) -> u64 {
        self.stats.values().map(|stats| stats[figure].as_u64().expect("it is a count")).sum()
    }
}

async fn pages(client: &Client, query: &str) -> Vec<Value> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let page = client.history(&format!("{query}&limit=100&offset={}", rows.len())).await.expect_status(200).json();
        let page_rows = page["deliveries"].as_array().expect("it is a list");
        if page_rows.is_empty() {
            assert_eq!(page["total"], rows.len(), "the total is not the number of rows");
            return rows;
        }
        rows.extend_from_slice(page_rows);
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("it is text").to_owned()
}
