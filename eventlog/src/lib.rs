//! The record: one append-only sequence of everything that happened, and how it is read.
//!
//! This is the only crate that writes the record. Read [`record`] first (the port and its homes), then [`crypto`]
//! (sealing), [`aggregates`] (cqrs-es over the port), [`customer_stream`] (the door through which every customer
//! event comes), [`augment`] (what completes it on its way in), [`files`] (what is too long for an entry), [`checkpoint`] (where its
//! readers keep their place), [`check`] (the whole record against its checksums), [`nats`] (how rows reach many
//! workers), [`workers`] (threads that block).

pub mod aggregates;
pub mod augment;
mod cache;
pub mod check;
pub mod checkpoint;
pub mod crypto;
pub mod customer_stream;
#[cfg(feature = "faults")]
pub mod faults;
pub mod files;
pub mod nats;
pub mod record;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod workers;

/// A point at an I/O boundary where a fault can be ordered (`faults`): `fault_point!("name")`. With a second argument,
/// the error that is returned where the point is ordered to fail. Without the feature `faults` it is nothing.
#[cfg(feature = "faults")]
#[macro_export]
macro_rules! fault_point {
    ($name:literal) => {{
        $crate::faults::reach($name);
    }};
    ($name:literal, $error:expr) => {
        if $crate::faults::reach($name) {
            return Err($error);
        }
    };
}

/// Whether a promise is broken on purpose (`faults`): `broken!("name")`. Without the feature `faults`, never.
#[cfg(feature = "faults")]
#[macro_export]
macro_rules! broken {
    ($name:literal) => {
        $crate::faults::is_broken($name)
    };
}

#[allow(missing_docs, reason = "documented above")]
#[cfg(not(feature = "faults"))]
#[macro_export]
macro_rules! fault_point {
    ($name:literal $(, $error:expr)?) => {};
}

#[allow(missing_docs, reason = "documented above")]
#[cfg(not(feature = "faults"))]
#[macro_export]
macro_rules! broken {
    ($name:literal) => {
        false
    };
}
