//! System tests: one binary, a module per behaviour.

mod demo;
mod main_job;
mod matching;
mod structure;
