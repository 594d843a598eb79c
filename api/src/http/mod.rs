//! What can be asked over HTTP, and how it is answered.
//!
//! Reading order: [`routes`] (the one table) and [`route`] (what a row says), [`dispatch`] (the order of checks),
//! [`call`] (what a handler gets), [`answer`] and [`problem`] (what it gives), then the folders: one for each
//! resource. [`state`] is what all of it needs from the rest of the system.

pub mod answer;
pub mod body;
pub mod call;
pub mod change;
pub mod conditional;
pub mod cursor;
pub mod dispatch;
pub mod fields;
pub mod list;
pub mod metrics;
pub mod openapi;
pub mod peer;
pub mod problem;
pub mod query;
pub mod rate;
pub mod route;
pub mod routes;
pub mod state;
pub mod trail;

mod audit;
pub(crate) mod augments;
mod clients;
pub(crate) mod configuration;
mod customers;
pub mod events;
mod health;
pub(crate) mod integrations;
mod key_attribute;
pub(crate) mod listeners;
pub(crate) mod patterns;
mod reactions;
mod receipts;
mod sends;
pub mod streams;
pub(crate) mod templates;
mod tenants;
mod to_the_end;
mod token;

#[cfg(test)]
mod tests;
