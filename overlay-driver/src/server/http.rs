//! As much of HTTP/1 as a WebSocket begins with: one request without a body, one response.

use std::io;

use async_tungstenite::tungstenite::handshake::server;
use async_tungstenite::tungstenite::http::{self, StatusCode, Version};
use futures_util::io::{AsyncRead, AsyncReadExt};

pub(super) use async_tungstenite::tungstenite::handshake::server::Request;

/// The longest head of a request. Browsers send less than 2 KiB; some proxies add as much.
const MAX_HEAD: usize = 8 * 1024;

/// Most header fields of a request. Browsers send about twenty.
const MAX_FIELDS: usize = 64;

/// Reads a request's head. Returns it with what came behind it, or how to refuse it.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Result<(Request, Vec<u8>), StatusCode>> {
    let mut head = Vec::new();
    loop {
        let mut chunk = [0; 1024];
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&chunk[..count]);
        match parse(&head) {
            Ok(Some((request, length))) => return Ok(Ok((request, head.split_off(length)))),
            Ok(None) if head.len() < MAX_HEAD => {}
            Ok(None) => return Ok(Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)),
            Err(status) => return Ok(Err(status)),
        }
    }
}

/// The request at the beginning of `bytes` and the length of its head, if that is complete.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, StatusCode> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut raw = httparse::Request::new(&mut fields);
    let length = match raw.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        Err(_) => return Err(StatusCode::BAD_REQUEST),
    };
    let version = match raw.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let mut request = http::Request::builder()
        .version(version)
        .method(raw.method.unwrap_or_default())
        .uri(raw.path.unwrap_or_default());
    for field in raw.headers {
        request = request.header(field.name, field.value);
    }
    let request = request.body(()).map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok(Some((request, length)))
}

/// The head of the response that accepts an upgrade.
pub(super) fn upgrade(accepted: &server::Response) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    server::write_response(&mut head, accepted).map_err(io::Error::other)?;
    Ok(head)
}

/// A response after which the connection is closed.
#[derive(Debug)]
pub(super) struct Response {
    status: StatusCode,
    kind: &'static str,
    body: String,
    /// The body is only described: what `HEAD` asks for.
    head_only: bool,
}

impl Response {
    pub(super) fn text(body: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, "text/plain; charset=utf-8", body.into())
    }

    pub(super) fn json(body: String) -> Self {
        Self::new(StatusCode::OK, "application/json", body)
    }

    /// A response that says nothing beyond its status.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self::new(status, "text/plain", String::new())
    }

    fn new(status: StatusCode, kind: &'static str, body: String) -> Self {
        Self {
            status,
            kind,
            body,
            head_only: false,
        }
    }

    pub(super) fn leave_body_out(&mut self) {
        self.head_only = true;
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { status, kind, .. } = self;
        let length = self.body.len();
        let body = if self.head_only { "" } else { &self.body };
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// What the server makes of `bytes`, all of which are there at once.
    fn read_all(mut bytes: &[u8]) -> io::Result<Result<(Request, Vec<u8>), StatusCode>> {
        read(&mut bytes).now_or_never().unwrap()
    }

    #[test]
    fn what_comes_behind_the_head_is_kept() {
        let (request, rest) = read_all(b"GET /x HTTP/1.1\r\nHost: y\r\n\r\nmore")
            .unwrap()
            .unwrap();
        assert_eq!(request.uri().path(), "/x");
        assert_eq!(request.headers()["host"], "y");
        assert_eq!(rest, b"more");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bytes in [
            "\x16\x03\x01 a TLS greeting",
            "GET / HTTP/9\r\n\r\n",
            "GET http://[ HTTP/1.1\r\n\r\n",
        ] {
            let refused = read_all(bytes.as_bytes()).unwrap();
            assert_eq!(refused.unwrap_err(), StatusCode::BAD_REQUEST, "{bytes}");
        }
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let long = format!("GET / HTTP/1.1\r\ncookie: {}", "x".repeat(MAX_HEAD));
        let many = format!("GET / HTTP/1.1\r\n{}", "x: y\r\n".repeat(MAX_FIELDS + 1));
        for head in [long, many] {
            let refused = read_all(head.as_bytes()).unwrap();
            assert_eq!(
                refused.unwrap_err(),
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            );
        }
    }

    #[test]
    fn a_head_that_breaks_off_is_an_error() {
        assert!(read_all(b"GET / HTTP/1.1\r\n").is_err());
    }
}
