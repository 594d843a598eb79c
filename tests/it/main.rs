//! System tests: one binary, a module per behaviour.

mod backtest;
mod backup;
mod bad_input;
mod bombs;
mod cli;
mod crash;
mod crowds;
mod demo;
mod fuzz;
mod main_job;
mod matching;
mod replay;
mod sealed;
mod seeds;
mod structure;
mod third_parties;
