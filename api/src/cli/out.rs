//! Standard output: where data goes. Who reads it may have seen enough (`… | head`): then a command ends quietly.

use std::error::Error;
use std::fmt;
use std::io::{ErrorKind, Result, Stdout, Write};

use super::Failure;

/// Standard output, whose closing can be told from every other broken pipe.
pub(super) struct Out(Stdout);

/// Whoever read standard output has closed it.
#[derive(Debug)]
pub(super) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output has been closed")
    }
}

impl Error for Closed {}

/// Standard output.
pub(super) fn out() -> Out {
    Out(std::io::stdout())
}

/// Writes a line.
pub(super) fn print(line: &str) -> std::result::Result<(), Failure> {
    Ok(writeln!(out(), "{line}")?)
}

/// Whether an error comes from [`Closed`].
pub(super) fn is_closed(error: &(dyn Error + 'static)) -> bool {
    let closed = |error: &(dyn Error + 'static)| {
        let io = error.downcast_ref::<std::io::Error>();
        io.and_then(std::io::Error::get_ref).is_some_and(|inner| inner.is::<Closed>())
    };
    let mut error = Some(error);
    while let Some(at) = error {
        if closed(at) {
            return true;
        }
        error = at.source();
    }
    false
}

fn told<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => std::io::Error::new(ErrorKind::BrokenPipe, Closed),
        _ => error,
    })
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        told(self.0.write(bytes))
    }

    fn flush(&mut self) -> Result<()> {
        told(self.0.flush())
    }
}
