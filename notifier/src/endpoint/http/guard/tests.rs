//! The table of forms under which somebody may try to reach what is not public.

use std::net::ToSocketAddrs;

use super::*;

/// Where a URL leads: its literal address, or what the system's resolver makes of its host. `None`: refused by form,
/// or resolved to nothing.
fn leads_outside(url: &str) -> Option<bool> {
    let url = Url::parse(url).ok()?;
    let host = url.uri().host()?;
    if let Some(address) = literal(host) {
        return Some(is_public(address));
    }
    let all: Vec<_> = (host, 80).to_socket_addrs().ok()?.collect();
    Some(!all.is_empty() && all.iter().all(|address| is_public(address.ip())))
}

const INSIDE_V4: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.0",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.0",
    "127.0.0.1",
    "127.0.1.1",
    "127.1.2.3",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.253",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "172.16.0.0",
    "172.16.0.1",
    "172.17.0.1",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.0.1",
    "192.168.1.1",
    "192.168.255.255",
    "198.18.0.0",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "224.0.0.251",
    "239.255.255.250",
    "240.0.0.1",
    "250.1.2.3",
    "255.255.255.254",
    "255.255.255.255",
    "168.63.129.16",
];

const OUTSIDE_V4: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.0.3.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.112.1",
    "223.255.255.255",
];

const INSIDE_V6: &[&str] = &[
    "::",
    "::1",
    "::2",
    "::7f00:1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fd12:3456:789a::1",
    "fdff::1",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff00::1",
    "ff02::1",
    "ff02::fb",
    "ff05::2",
    "ff0e::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff::1",
    "2001:db8::1",
    "2002::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2002:c0a8:101::1",
    "2002:808:808::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "8000::1",
    "2600::5efe:7f00:1",
    "2600::200:5efe:a00:1",
    "::ffff:0:0",
    "0:0:0:0:0:0:0:1",
];

const OUTSIDE_V6: &[&str] = &[
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "2a00:1450::1",
    "3ffe::1",
    "3fff:1000::1",
    "::ffff:8.8.8.8",
    "::ffff:101:101",
    "64:ff9b::808:808",
    "64:ff9b::1.1.1.1",
];

/// Hosts that are no plain name or address: each refused by form, or led inside.
const ODD: &[&str] = &[
    "0",
    "1",
    "127",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.0.0.1..",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0X7F.0X0.0X0.0X1",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "00000177.0.0.1",
    "127.0.0.01",
    "127.00.0.1",
    "2130706433",
    "2130706433.",
    "3232235521",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "0xa9.254.0xa9.254",
    "4294967295",
    "4294967296",
    "99999999999",
    "-1",
    "+1",
    "1e9",
    "127.0.0.1.5",
    "127.0.0.256",
    "127..0.1",
    ".127.0.0.1",
    "127.0.0.0x1",
    "10.1",
    "10.0x1",
    "012.1",
    "0300.0250.1.1",
    "192.168.257",
    "[::1",
    "::1",
    "::1]",
    "[::1]]",
    "[[::1]]",
    "[::1].example.com",
    "[::1%25lo]",
    "[::1%lo]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[127.0.0.1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:7f00:0001]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[v1.127]",
    "[]",
    "[:]",
    "[::g]",
    "[1:2:3]",
    "[0x::1]",
    "[::1 ]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost.",
    "127.0.0.1%00.example.com",
    "127.0.0.1%2eexample.com",
    "%31%32%37.0.0.1",
    "%6c%6f%63%61%6c%68%6f%73%74",
    "①②⑦.⓪.⓪.①",
    "１２７.0.0.1",
    "127。0。0。1",
    "127．0．0．1",
    "ⓛocalhost",
    "lоcalhost",
    "loc\u{ad}alhost",
    "xn--/",
    "exa mple.com",
    "example.com\t",
    "exam\nple.com",
    "example.com\r\nHost: x",
    "example.com\0",
    "a..example.com",
    "-",
    ".",
    "..",
    "",
    "example.com.",
    "ex*mple.com",
    "example.com;127.0.0.1",
    "example.com,127.0.0.1",
    "example.com&x",
    "$(id)",
    "`id`",
];

/// Whole URLs.
const ODD_URLS: &[&str] = &[
    "",
    "http",
    "http:",
    "http:/",
    "http://",
    "https://",
    "//127.0.0.1",
    "///127.0.0.1",
    "127.0.0.1",
    "localhost:80",
    "http:127.0.0.1",
    "http:/127.0.0.1",
    "http:///127.0.0.1",
    "http:\\\\127.0.0.1",
    "http://\\127.0.0.1",
    "http://example.com\\@127.0.0.1",
    "http://127.0.0.1\\.example.com",
    "ftp://example.com",
    "file:///etc/passwd",
    "gopher://example.com",
    "dict://example.com",
    "ldap://example.com",
    "jar:http://example.com!/",
    "data:,x",
    "javascript:alert(1)",
    "ws://example.com",
    "unix:/run/x",
    "http+unix://x",
    "netdoc://x",
    "view-source:http://x.y",
    " http://example.com",
    "http://example.com ",
    "http://user@example.com",
    "http://user:pass@example.com",
    "http://@example.com",
    "http://:@example.com",
    "http://example.com@127.0.0.1",
    "http://127.0.0.1@example.com",
    "http://a@b@example.com",
    "http://example.com:@127.0.0.1",
    "http://127.0.0.1:80@example.com",
    "http://127.0.0.1:80#@example.com",
    "http://127.0.0.1#@example.com/",
    "http://127.0.0.1?@example.com/",
    "http://127.0.0.1/?x=http://example.com",
    "http://example.com:0",
    "http://example.com:22",
    "http://example.com:25",
    "http://example.com:110",
    "http://example.com:1023",
    "http://example.com:65536",
    "http://example.com:99999999999",
    "http://example.com:-1",
    "http://example.com:+80",
    "http://example.com:",
    "http://example.com:80:80",
    "http://example.com:0x50",
    "http://example.com: 80",
    "http://example.com:８０",
    "http://[::1]:80",
    "http://[::1]80",
    "http://[::1]x",
    "http://[::1]:",
    "http://127.0.0.1:",
    "HTTP://127.0.0.1",
    "hTTps://[::1]/",
    "http://example.com/\u{7f}",
    "http://example.com/ä",
    "http://example.com/\r\nX: y",
];

#[test]
fn no_form_leads_inside() {
    let hosts = INSIDE_V4.iter().chain(ODD).map(|host| host.to_string());
    let hosts = hosts.chain(INSIDE_V6.iter().map(|host| format!("[{host}]")));
    let mapped = INSIDE_V4.iter().flat_map(|host| [format!("[::ffff:{host}]"), format!("[64:ff9b::{host}]")]);
    let urls =
        hosts.chain(mapped).flat_map(|host| [format!("http://{host}/x"), format!("https://{host}:8080")]);
    let urls: Vec<String> = urls.chain(ODD_URLS.iter().map(|url| url.to_string())).collect();
    assert!(urls.len() > 500, "{}", urls.len());
    for url in urls {
        assert_ne!(leads_outside(&url), Some(true), "{url:?}");
    }
}

#[test]
fn what_is_public_stays_reachable() {
    for host in
        OUTSIDE_V4.iter().map(|host| host.to_string()).chain(OUTSIDE_V6.iter().map(|h| format!("[{h}]")))
    {
        for url in [format!("http://{host}"), format!("HTTPS://{host}:8443/a?b=c#d")] {
            assert_eq!(leads_outside(&url), Some(true), "{url:?}");
        }
    }
    for url in
        ["https://example.com", "http://a-b_c.example.co.uk:443/x?y=%20#z", "https://xn--bcher-kva.example"]
    {
        assert!(Url::parse(url).is_ok(), "{url:?}");
    }
}

#[test]
fn a_path_goes_below_a_base_whatever_the_base_ends_in() {
    for (base, want) in [
        ("https://api.example.com", "https://api.example.com/v3/mail"),
        ("https://api.example.com/", "https://api.example.com/v3/mail"),
        ("http://127.0.0.1:8080/stand-in/", "http://127.0.0.1:8080/stand-in/v3/mail"),
    ] {
        assert_eq!(Url::parse(base).unwrap().join("/v3/mail").unwrap().uri().to_string(), want);
    }
}
