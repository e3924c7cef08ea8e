//! The address of a bootstrap server.

use std::fmt;
use std::str::FromStr;

use async_tungstenite::tungstenite::http::Uri;

/// Where a bootstrap server listens: `ws://host:port/path`, or `wss://` with TLS. The port defaults to
/// 80 or 443, the path to `/`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    secure: bool,
    host: String,
    port: u16,
    path: String,
}

/// The text is no address of a bootstrap server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
        // A user or password in the address would end up in logs.
        if rest
            .split('/')
            .next()
            .is_some_and(|host| host.contains('@'))
        {
            return Err(malformed());
        }
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(malformed)?;
        let after_host = uri
            .authority()
            .and_then(|authority| authority.as_str().strip_prefix(host));
        let port = match after_host {
            Some("") if secure => 443,
            Some("") => 80,
            _ => uri.port_u16().ok_or_else(malformed)?,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            secure,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}{}", self.host, self.port, self.path)
        } else {
            write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)
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
    fn what_is_left_out_is_filled_in() {
        let parsed = |text: &str| text.parse::<ServerUrl>().unwrap().to_string();
        assert_eq!(parsed("ws://localhost:8080"), "ws://localhost:8080/");
        assert_eq!(parsed("wss://example.org"), "wss://example.org:443/");
        assert_eq!(parsed("ws://[::1]:9/x"), "ws://[::1]:9/x");
    }

    #[test]
    fn what_is_no_server_address_is_refused_with_a_reason() {
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
