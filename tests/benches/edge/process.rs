//! This program again, in another role.

use std::io::{BufRead, BufReader, Write};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};

/// A process that is killed when it is let go of.
pub struct Child {
    process: process::Child,
    said: BufReader<ChildStdout>,
    told: ChildStdin,
}

impl Child {
    /// This program with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, told) = (process.stdout.take().unwrap(), process.stdin.take().unwrap());
        Self { process, said: BufReader::new(said), told }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next line that it says.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Tells it a line.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.told, "{line}").unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
