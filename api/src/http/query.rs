//! The query of a request: names and values, and the few that lists share.

use std::collections::HashSet;

use domain::time::Stamp;
use percent_encoding::percent_decode_str;

use super::problem::Problem;

/// A query, each name at most once. What nobody asks for is not looked at.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

/// Reads `name=value&…` with percent escapes and `+` for a space.
///
/// # Errors
/// What is not UTF-8 when decoded.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, std::str::Utf8Error> {
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map(std::borrow::Cow::into_owned)
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

impl Query {
    /// Reads the query of a URI.
    ///
    /// # Errors
    /// 400 for what is not UTF-8, and for a name that is given twice.
    pub fn parse(text: Option<&str>) -> Result<Self, Problem> {
        let pairs = pairs(text.unwrap_or_default()).map_err(|_| Problem::bad("the query is not UTF-8"))?;
        let mut names = HashSet::new();
        match pairs.iter().find(|(name, _)| !names.insert(name)) {
            Some((name, _)) => Err(Problem::bad_field(name, "is given twice")),
            None => Ok(Self(pairs)),
        }
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// `limit`: from 1 to `most`, `default` if it is not given.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, Problem> {
        let Some(text) = self.get("limit") else { return Ok(default) };
        text.parse()
            .ok()
            .filter(|limit| (1..=most).contains(limit))
            .ok_or_else(|| Problem::bad_field("limit", &format!("has to be a number from 1 to {most}")))
    }

    /// A time, as RFC 3339.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn time(&self, name: &str) -> Result<Option<Stamp>, Problem> {
        let read = |text| {
            Stamp::from_rfc3339(text).ok_or_else(|| {
                Problem::bad_field(name, "has to be a time such as 2026-01-31T12:00:00.000Z (RFC 3339)")
            })
        };
        self.get(name).map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_times_are_checked() {
        let limit = |text| Query::parse(Some(text)).unwrap().limit(10, 1000).map_err(|p| p.status.as_u16());
        assert_eq!(limit(""), Ok(10));
        assert_eq!(limit("a=b&limit=1000"), Ok(1000));
        for bad in ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=99999999999999999999"] {
            assert_eq!(limit(bad), Err(400), "{bad}");
        }
        let query = Query::parse(Some("from=2024-02-29T12%3A34%3A56.789Z&to=yesterday&key=a+b%2Bc")).unwrap();
        assert_eq!(query.time("from").unwrap(), Some(Stamp(1_709_210_096_789)));
        assert!(query.time("to").is_err());
        assert_eq!(query.get("key"), Some("a b+c"));
        assert!(Query::parse(Some("a=%ff")).is_err());
        assert!(Query::parse(Some("limit=1&limit=2")).is_err());
    }
}
