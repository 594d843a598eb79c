//! The vocabulary of cxengage, and its decisions, pure: no clock, no task, no socket, no random number.
//!
//! Reading order: [`ids`] and [`time`] (who, where, when), [`json`] and [`value`] (what customers' events are made
//! of), [`dsl`] (the languages `when` and `then`), the aggregates ([`tenant`], [`client`], [`pattern`],
//! [`template`], [`integration`], [`augment`], [`listener`]), [`configuration`] (what events are matched against), [`plan`] (a tenant's configuration as a whole), then [`customer_event`] and [`reaction`].

mod aggregate;
pub mod configuration;
pub mod customer_event;
pub mod dsl;
pub mod few;
pub mod ids;
pub mod json;
pub mod name;
pub mod plan;
pub mod reaction;
pub mod time;
pub mod value;

pub mod augment;
pub mod client;
pub mod integration;
pub mod listener;
pub mod pattern;
pub mod template;
pub mod tenant;

pub mod mustache;
