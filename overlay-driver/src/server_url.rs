//! The address of a bootstrap server.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// The address at which a bootstrap server listens: `ws://host:port/path`, or `wss://` with TLS. The port defaults to
/// 80 or 443, the path to `/`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    secure: bool,
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    /// With the query.
    path: String,
}

/// The text is no address of a bootstrap server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseServerUrlError {
    /// It does not start with `ws://` or `wss://`.
    #[error("a server address starts with ws:// or wss://, not `{0}`")]
    Scheme(String),
    /// It names no host, or is not a URL at all.
    #[error("`{0}` is not an address like ws://host:port")]
    Malformed(String),
}

impl ServerUrl {
    /// Whether the connection is encrypted.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for ServerUrl {
    type Err = ParseServerUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ParseServerUrlError::Malformed(text.to_owned());
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| ParseServerUrlError::Scheme(text.to_owned()))?;
        let secure = match scheme {
            "ws" => false,
            "wss" => true,
            _ => return Err(ParseServerUrlError::Scheme(text.to_owned())),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let url = Url::parse(text).map_err(|_| malformed())?;
        // A user or password in the address would end up in logs; a port that is left out behind its colon was
        // forgotten, and is not the default one.
        if authority.contains('@') || authority.ends_with(':') {
            return Err(malformed());
        }
        let host = match url.host().ok_or_else(malformed)? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let query = url.query().map(|query| format!("?{query}"));
        Ok(Self {
            secure,
            host,
            port: url.port_or_known_default().ok_or_else(malformed)?,
            path: format!("{}{}", url.path(), query.unwrap_or_default()),
        })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let Self {
            host, port, path, ..
        } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}{path}")
        } else {
            write!(f, "{scheme}://{host}:{port}{path}")
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_or_path_that_is_left_out_is_filled_in() {
        let parsed = |text: &str| text.parse::<ServerUrl>().unwrap().to_string();
        assert_eq!(parsed("ws://localhost:8080"), "ws://localhost:8080/");
        assert_eq!(parsed("wss://example.org"), "wss://example.org:443/");
        assert_eq!(parsed("ws://[::1]:9/x"), "ws://[::1]:9/x");
        assert_eq!(parsed("ws://10.0.0.1/x?y=1"), "ws://10.0.0.1:80/x?y=1");
    }

    #[test]
    fn a_text_that_is_no_server_address_is_refused_with_a_reason() {
        for text in ["localhost:8080", "http://localhost", "ws:/x", ""] {
            let error = text.parse::<ServerUrl>().unwrap_err();
            assert!(matches!(error, ParseServerUrlError::Scheme(_)), "{text}");
        }
        for text in [
            "ws://",
            "ws://:80",
            "ws://a b",
            "ws://h:99999",
            "ws://u:p@h",
            "ws://h:",
        ] {
            let error = text.parse::<ServerUrl>().unwrap_err();
            assert!(matches!(error, ParseServerUrlError::Malformed(_)), "{text}");
        }
    }
}
