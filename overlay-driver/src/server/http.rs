//! As much of HTTP/1 as a WebSocket begins with: one request without a body, one response.

use std::io;

use async_tungstenite::tungstenite::handshake::server;
use bytes::Bytes;
use futures_util::io::{AsyncRead, AsyncReadExt};
use http::{HeaderValue, StatusCode, Version, header};

pub(super) use async_tungstenite::tungstenite::handshake::server::Request;

/// A response.
pub(super) type Response = http::Response<Bytes>;

/// The longest head of a request. Browsers send less than 2 KiB; some proxies add as much.
const MAX_HEAD: usize = 8 * 1024;

/// The most header fields of a request. Browsers send about twenty.
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

/// A response with this body, after which the connection is closed.
pub(super) fn respond(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = http::Response::new(body.into());
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A text.
pub(super) fn text(body: impl Into<Bytes>) -> Response {
    respond(StatusCode::OK, "text/plain; charset=utf-8", body)
}

/// A JSON document.
pub(super) fn json(body: String) -> Response {
    respond(StatusCode::OK, "application/json", body)
}

/// A response that says nothing beyond its status.
pub(super) fn empty(status: StatusCode) -> Response {
    respond(status, "text/plain", Bytes::new())
}

/// The head of a response as bytes. Its body is written as it is, so that no client costs a copy of a file.
pub(super) fn head(response: &Response) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    let length = response.body().len();
    bytes.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// The answer of the server to `bytes`, all of which are there at once.
    fn read_all(mut bytes: &[u8]) -> io::Result<Result<(Request, Vec<u8>), StatusCode>> {
        read(&mut bytes).now_or_never().unwrap()
    }

    #[test]
    fn bytes_behind_the_head_are_kept() {
        let (request, rest) = read_all(b"GET /x HTTP/1.1\r\nHost: y\r\n\r\nmore")
            .unwrap()
            .unwrap();
        assert_eq!(request.uri().path(), "/x");
        assert_eq!(request.headers()["host"], "y");
        assert_eq!(rest, b"more");
    }

    #[test]
    fn bytes_that_are_no_request_are_refused() {
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
