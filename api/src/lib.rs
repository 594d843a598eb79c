//! The edges and the composition root.
//!
//! Reading order: [`server`] (connections), [`http`] (what can be asked, in one table), [`oauth`] (who may ask), [`nats`]
//! (the same door for publishers).

pub mod app;
pub mod cli;
mod damage;
pub mod http;
pub mod memory;
pub mod nats;
pub mod oauth;
pub mod server;
mod telemetry;
