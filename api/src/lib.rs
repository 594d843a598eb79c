//! The edges and the composition root.
//!
//! Reading order: [`server`] (connections), [`http`] (what can be asked, in one table), [`oauth`] (who may ask), [`nats`]
//! (the same door for publishers).

pub mod app;
pub mod cli;
pub mod config;
mod damage;
mod home;
pub mod http;
mod lease;
pub mod memory;
pub mod nats;
mod news;
pub mod oauth;
mod parts;
pub mod server;
mod shares;
mod start;
mod telemetry;
