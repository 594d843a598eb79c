//! The types of listeners, and the options that each has.

use serde::{Deserialize, Serialize};

use crate::integration;

/// At which third party a listener listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A streaming topic.
    Salesforce,
    /// A compiled stream, over HTTP or a web socket.
    Datasift,
    /// A channel.
    Pusher,
}

/// An option of a type.
#[derive(Clone, Copy)]
pub struct Choice {
    /// Its name.
    pub name: &'static str,
    /// Whether it has to be there.
    pub needed: bool,
    /// What it has to be, as the end of "has to be …".
    pub expected: &'static str,
    check: fn(&str) -> bool,
}

impl Choice {
    /// Whether the value is one for this option.
    pub fn takes(&self, value: &str) -> bool {
        (self.check)(value)
    }
}

const fn needed(name: &'static str, expected: &'static str, check: fn(&str) -> bool) -> Choice {
    Choice { name, needed: true, expected, check }
}

const fn optional(name: &'static str, expected: &'static str, check: fn(&str) -> bool) -> Choice {
    Choice { name, needed: false, expected, check }
}

impl Kind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Salesforce, Self::Datasift, Self::Pusher];

    /// Its name in the API and in what is stored.
    pub fn name(self) -> &'static str {
        self.integration().name()
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The integration with which it connects.
    pub fn integration(self) -> integration::Kind {
        match self {
            Self::Salesforce => integration::Kind::Salesforce,
            Self::Datasift => integration::Kind::Datasift,
            Self::Pusher => integration::Kind::Pusher,
        }
    }

    /// Its options.
    pub fn choices(self) -> &'static [Choice] {
        match self {
            Self::Salesforce => {
                const {
                    &[
                        needed(
                            "topic",
                            "the name of a topic: 1 to 200 visible ASCII characters without / and *",
                            is_topic,
                        ),
                        needed("version", "a version of the API like \"59.0\"", is_version),
                    ]
                }
            }
            Self::Datasift => {
                const {
                    &[
                        needed("hash", "a stream's hash: 1 to 64 letters and digits", is_hash),
                        optional("transport", "\"http\" (as if it were left out) or \"websocket\"", |text| {
                            matches!(text, "http" | "websocket")
                        }),
                    ]
                }
            }
            Self::Pusher => {
                const {
                    &[
                        needed(
                            "channel",
                            "a public or private channel's name: 1 to 200 of A-Z a-z 0-9 _ - = @ , . ; (presence and \
                         encrypted channels are not listened to)",
                            is_channel,
                        ),
                        optional("event", "an event's name: 1 to 200 characters", |text| {
                            (1..=200).contains(&text.chars().count())
                        }),
                    ]
                }
            }
        }
    }
}

fn is_topic(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/*".contains(&byte))
}

fn is_version(text: &str) -> bool {
    let digits = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| digits(major) && digits(minor))
}

fn is_hash(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_channel(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=@,.;".contains(&byte);
    let other = ["presence-", "private-encrypted-"].iter().any(|prefix| text.starts_with(prefix));
    (1..=200).contains(&text.len()) && text.bytes().all(good) && !other
}
