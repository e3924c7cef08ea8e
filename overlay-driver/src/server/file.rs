//! Files that a bootstrap server serves beside its protocol: a page whose tab joins the tree, say.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::http::{Response, respond};

/// A file that the server serves to `GET` as it is.
///
/// Its own scripts, styles and connections are all that a page among them can use (a content security policy), and no other site
/// can show it in a frame. Scripts of other sites may import one of these files, so a page elsewhere needs no copy.
#[derive(Clone, Debug)]
pub struct StaticFile {
    /// The path of its address, which begins with `/`. `/` itself is the page, `/health` is taken.
    pub path: &'static str,
    /// Its media type, such as `text/html; charset=utf-8`.
    pub media_type: &'static str,
    /// Its bytes.
    pub body: Bytes,
}

/// What a page may do. `wasm-unsafe-eval` allows WebAssembly, and no evaluation of text.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The header fields of each file. A browser asks again before it uses an old copy: the server may be another version by then.
const FIELDS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::CACHE_CONTROL, "no-cache"),
];

/// The response with a file.
pub(super) fn serve(file: &StaticFile) -> Response {
    let mut response = respond(StatusCode::OK, file.media_type, file.body.clone());
    for (name, value) in FIELDS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
