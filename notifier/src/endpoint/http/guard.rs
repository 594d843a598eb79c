//! Which addresses may be asked on a tenant's behalf (reliability.md §3, SSRF): pure, so that it is tested as a
//! table.
//!
//! A URL is read strictly: what two readers could take for two different hosts is refused, not repaired. Names are
//! resolved once by the dialler, which asks [`is_public`] about every address before it dials that very address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::Uri;

/// A URL that has one meaning only. Where it leads is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(Uri);

/// Why a text is not such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Too long.
    #[error("a URL has at most {MOST} characters")]
    Long,
    /// Characters that a URL cannot have.
    #[error("a URL is visible ASCII without a backslash; write other characters in their encoded form")]
    Characters,
    /// No URL at all.
    #[error("not a URL")]
    NotAUrl,
    /// Another scheme.
    #[error("a URL begins with https:// or http://")]
    Scheme,
    /// A name or password before the host.
    #[error("a URL must not have a user name or password; use the integration's headers")]
    UserInfo,
    /// A host that could be read in two ways, or not at all.
    #[error("the host has to be a name, an IPv4 address in dotted decimal, or an IPv6 address in brackets")]
    Host,
    /// A port where no web server is.
    #[error("the port has to be 80, 443 or one from 1024")]
    Port,
}

/// The longest URL.
const MOST: usize = 8_192;

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > MOST {
            return Err(Malformed::Long);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(Malformed::Characters);
        }
        let (scheme, rest) = text.split_once("://").ok_or(Malformed::Scheme)?;
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(Malformed::Scheme);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(Malformed::UserInfo);
        }
        let (host, port) = split(authority)?;
        if !is_host(host) {
            return Err(Malformed::Host);
        }
        if !port.is_none_or(is_port) {
            return Err(Malformed::Port);
        }
        text.parse().map(Self).map_err(|_| Malformed::NotAUrl)
    }

    /// As the client takes it.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// A URL below this one: its path, then `path`, which begins with a slash and is encoded already.
    ///
    /// # Errors
    /// `path` is not one.
    pub fn join(&self, path: &str) -> Result<Self, Malformed> {
        let base = self.0.to_string();
        let base = base.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        format!("{base}{path}").parse().map(Self).map_err(|_| Malformed::NotAUrl)
    }

    /// The same URL with this query, which is encoded already.
    ///
    /// # Errors
    /// `query` is not one.
    pub fn with_query(&self, query: &str) -> Result<Self, Malformed> {
        let base = self.0.to_string();
        let base = base.split(['?', '#']).next().unwrap_or_default();
        format!("{base}?{query}").parse().map(Self).map_err(|_| Malformed::NotAUrl)
    }
}

fn split(authority: &str) -> Result<(&str, Option<&str>), Malformed> {
    let host_end = if authority.starts_with('[') {
        authority.find(']').map(|at| at + 1).ok_or(Malformed::Host)?
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    match authority.split_at_checked(host_end).ok_or(Malformed::Host)? {
        (host, "") => Ok((host, None)),
        (host, port) => port.strip_prefix(':').map(|port| (host, Some(port))).ok_or(Malformed::Host),
    }
}

/// Low ports other than the web's belong to services that could mistake a request for their own commands.
fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(port.parse::<u16>(), Ok(80 | 443 | 1_024..=u16::MAX))
}

fn is_host(host: &str) -> bool {
    literal(host).is_some() || is_name(host)
}

/// The address, if the host of a URL is one.
pub fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// A name whose last label is a number is an address to some resolvers (`0x7f.1`, `017700000001`, `127.1`).
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253
        && host.split('.').all(is_label)
        && !last.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
}

/// Whether an address is on the public Internet, and no machine of the operator's, of the cloud's, or of anybody's
/// own network.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // IANA's special-purpose registry; 6to4 relays; and the one public address that is a cloud's own (Azure).
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [168, 63, 129, 16]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // An IPv4 address in other clothes is as public as that is: mapped, and through NAT64.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments (Teredo among them), documentation, 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // ISATAP, with an IPv4 address in its end.
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => false,
        // Only this eighth has been given to the public.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
