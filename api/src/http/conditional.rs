//! `If-Match`: the version that a client saw.

use axum::http::{HeaderMap, header};

use super::problem::Problem;

/// What a change asks of the version that it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Nothing (no header, or `*`: there has to be a version, which a change asks anyway).
    Any,
    /// It is one of these; none, where the tags are none of ours.
    OneOf(Vec<u64>),
}

impl IfMatch {
    /// Reads the header.
    ///
    /// # Errors
    /// 400 for what is no list of entity tags.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut versions = Vec::new();
        let mut any = true;
        for value in headers.get_all(header::IF_MATCH) {
            let text = value.to_str().map_err(|_| malformed())?.trim();
            if text == "*" {
                return Ok(Self::Any);
            }
            any = false;
            for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                versions.extend(version(tag)?);
            }
        }
        Ok(if any { Self::Any } else { Self::OneOf(versions) })
    }

    /// The version to expect, of a resource that is at `current` as far as can be seen.
    ///
    /// # Errors
    /// 409 if it is not one of those asked for.
    pub fn expected(&self, current: u64) -> Result<Option<u64>, Problem> {
        match self {
            Self::Any => Ok(None),
            Self::OneOf(_) if eventlog::broken!("no-version-check") => Ok(None),
            Self::OneOf(versions) if versions.contains(&current) => Ok(Some(current)),
            Self::OneOf(_) => {
                Err(Problem::conflict(format!("it has changed: it is at version \"{current}\"")))
            }
        }
    }
}

/// The version that a tag names; none if it is a weak one (which never matches here) or not one of ours.
fn version(tag: &str) -> Result<Option<u64>, Problem> {
    let (weak, tag) = tag.strip_prefix("W/").map_or((false, tag), |tag| (true, tag));
    let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).ok_or_else(malformed)?;
    Ok(inner.parse().ok().filter(|_| !weak))
}

fn malformed() -> Problem {
    Problem::bad("If-Match has to be the ETag of the resource as it was read, in its quotes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &'static str) -> Result<IfMatch, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_MATCH, value.parse().unwrap());
        IfMatch::of(&headers).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn tags_are_compared_strongly() {
        assert_eq!(IfMatch::of(&HeaderMap::new()).unwrap(), IfMatch::Any);
        assert_eq!(read("*"), Ok(IfMatch::Any));
        assert_eq!(read("\"3\", \"4\""), Ok(IfMatch::OneOf(vec![3, 4])));
        assert_eq!(read("W/\"3\""), Ok(IfMatch::OneOf(vec![])));
        assert_eq!(read("\"x\""), Ok(IfMatch::OneOf(vec![])));
        assert_eq!(read("3"), Err(400));
        let seen = read("\"3\"").unwrap();
        assert_eq!(seen.expected(3).unwrap(), Some(3));
        assert_eq!(seen.expected(4).unwrap_err().status.as_u16(), 409);
    }
}
