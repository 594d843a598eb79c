//! System tests: one binary, a module per behaviour.

mod augments;
mod backtest;
mod backup;
mod bad_input;
mod bombs;
mod bounded;
mod cli;
mod crash;
mod crowds;
mod demo;
mod fuzz;
mod golden;
mod listeners;
mod main_job;
mod matching;
mod memory;
mod nats;
mod openapi;
mod receipts;
mod replay;
mod sealed;
mod seed_requests;
mod seeds;
mod streams;
mod structure;
mod third_parties;
