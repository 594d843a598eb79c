//! Given what the record holds, then the views; and the promises of every read model.

mod promises;
mod shown;
mod world;
