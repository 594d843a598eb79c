//! Places in a program: every command has one, and it is the same as long as the program is.

use std::fmt;
use std::str::FromStr;

use super::{Command, CommandKind, Program};

/// A place in a program: the path of indices from the root, which is `0`, to a command, printed `0.2.1`. Members of
/// a block, and the two branches of an `if` or `await`, come first; behind them the `success` and the `failure`
/// option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<u16>);

/// A text that is not a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a program")]
pub struct MalformedPath;

impl Path {
    /// The outermost command's.
    pub fn root() -> Self {
        Self(vec![0])
    }

    /// The place of the command `index` in the one at this place.
    #[must_use]
    pub fn child(&self, index: u16) -> Self {
        let mut path = self.0.clone();
        path.push(index);
        Self(path)
    }

    /// Which one it is of the commands in the one around it.
    pub fn index(&self) -> u16 {
        self.0.last().copied().unwrap_or(0)
    }
}

impl Default for Path {
    fn default() -> Self {
        Self::root()
    }
}

impl Program {
    /// The command at a place, if there is one.
    pub fn at(&self, path: &Path) -> Option<&Command> {
        let (root, rest) = path.0.split_first()?;
        let root = (*root == 0).then_some(&self.root);
        rest.iter().fold(root, |command, index| command?.child(*index))
    }
}

impl Command {
    /// How many members or branches it has.
    fn inner(&self) -> u16 {
        match &self.kind {
            // The parser takes no block with more members than an index can hold.
            CommandKind::Seq(members) | CommandKind::Par(members) => {
                u16::try_from(members.len()).unwrap_or(u16::MAX)
            }
            CommandKind::If { .. } | CommandKind::Await { .. } => 2,
            _ => 0,
        }
    }

    /// The index of the `success` option.
    pub fn success_index(&self) -> u16 {
        self.inner()
    }

    /// The index of the `failure` option.
    pub fn failure_index(&self) -> u16 {
        self.inner().saturating_add(1)
    }

    /// The command in it that has this index.
    fn child(&self, index: u16) -> Option<&Self> {
        if index == self.success_index() {
            return self.success.as_deref();
        }
        if index == self.failure_index() {
            return self.failure.as_deref();
        }
        match &self.kind {
            CommandKind::Seq(members) | CommandKind::Par(members) => members.get(usize::from(index)),
            CommandKind::If { then: first, otherwise: second, .. }
            | CommandKind::Await { success: first, failure: second, .. } => {
                if index == 0 {
                    first.as_deref()
                } else {
                    second.as_deref()
                }
            }
            _ => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, index) in self.0.iter().enumerate() {
            write!(f, "{}{index}", if n == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = MalformedPath;

    fn from_str(text: &str) -> Result<Self, MalformedPath> {
        let indices = text.split('.').map(|index| index.parse().map_err(|_| MalformedPath));
        indices.collect::<Result<_, _>>().map(Self)
    }
}

impl serde::Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
