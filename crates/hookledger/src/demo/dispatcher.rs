//! A small dispatcher: sends every planned delivery until it is accepted, exhausted or cancelled.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, redirect};
use standardwebhooks::Webhook;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::delivery::Delivery;
use super::payloads::Payloads;
use super::plan::Plan;
use super::receiver::Receiver;
use super::recorder::{Recorder, RecorderEnded};
use super::tally::DeliveryTally;
use crate::client::Backoff;

/// The most deliveries that are under way, most of them waiting for their next attempt.
const OPEN_MAX: usize = 1024;

/// How it sends, in nominal time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// Attempts of a delivery, unless somebody asks for more.
    pub(crate) max_attempts: u32,
    /// How long a receiver may take.
    pub(crate) timeout: Duration,
    /// How long to wait between attempts.
    pub(crate) backoff: Backoff,
    /// Requests at the same time; one subscription gets at most half of them, so that a slow one does not hold up
    /// the others.
    pub(crate) concurrency: u32,
}

/// The dispatcher.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(crate) plan: Plan,
    pub(crate) workspace: String,
    pub(crate) policy: Policy,
    pub(crate) clock: Arc<Clock>,
    pub(crate) payloads: Payloads,
    pub(crate) client: Client,
    pub(crate) recorder: Recorder,
    /// One for each subscription, in the plan's order.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) slots: Semaphore,
}

/// What the dispatcher knows about a subscription's endpoint.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) signer: Webhook,
    pub(crate) slots: Semaphore,
    /// Whether it has answered 410: nothing more is sent there.
    pub(crate) gone: AtomicBool,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The signing secret stays out of logs.
        f.debug_struct("Endpoint").field("url", &self.url).field("gone", &self.gone).finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// A dispatcher for that plan, which sends to that receiver and records there.
    pub(crate) fn new(
        plan: Plan,
        workspace: &str,
        policy: Policy,
        clock: Arc<Clock>,
        receiver: &Receiver,
        recorder: Recorder,
    ) -> anyhow::Result<Self> {
        let concurrency = usize::try_from(policy.concurrency).context("the concurrency is too large")?;
        let mut endpoints = Vec::new();
        for subscription in &plan.subscriptions {
            endpoints.push(Endpoint {
                url: receiver.url(subscription)?,
                signer: Webhook::from_bytes(subscription.secret.clone()).context("the secret cannot be used")?,
                slots: Semaphore::new(concurrency.div_ceil(2)),
                gone: AtomicBool::new(false),
            });
        }
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build();
        Ok(Self {
            payloads: Payloads { seed: plan.seed, started_at: clock.started_at() },
            plan,
            workspace: workspace.to_owned(),
            policy,
            clock,
            client: client.context("cannot make an HTTP client")?,
            recorder,
            endpoints,
            slots: Semaphore::new(concurrency),
        })
    }

    /// Makes all deliveries; `ended` is called with the number of those that are over, after each.
    ///
    /// It ends early when the recorder does: what cannot be recorded is not sent.
    pub(crate) async fn dispatch(self, mut ended: impl FnMut(usize)) -> Result<Vec<DeliveryTally>, RecorderEnded> {
        let dispatcher = Arc::new(self);
        let mut tallies = Vec::with_capacity(dispatcher.plan.deliveries.len());
        let mut open = JoinSet::new();
        for planned in dispatcher.plan.deliveries.clone() {
            if open.len() == OPEN_MAX {
                collect(&mut open, &mut tallies, &mut ended).await?;
            }
            open.spawn(Delivery::make(Arc::clone(&dispatcher), planned));
        }
        while !open.is_empty() {
            collect(&mut open, &mut tallies, &mut ended).await?;
        }
        tallies.sort_by_key(|tally| tally.planned.number);
        Ok(tallies)
    }
}

/// Waits for one delivery to be over.
async fn collect(
    open: &mut JoinSet<Result<DeliveryTally, RecorderEnded>>,
    tallies: &mut Vec<DeliveryTally>,
    ended: &mut impl FnMut(usize),
) -> Result<(), RecorderEnded> {
    if let Some(delivery) = open.join_next().await {
        tallies.push(delivery.expect("a delivery neither panics nor is aborted before this set is dropped")?);
        ended(tallies.len());
    }
    Ok(())
}

#[cfg(test)]
#[path = "dispatcher_tests.rs"]
mod tests;
