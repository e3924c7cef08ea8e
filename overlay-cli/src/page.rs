//! The page that a server has at `/`: a browser tab joins the tree with it.
//!
//! Its scripts are made by `scripts/web`, and committed, so that cargo alone builds the command. `scripts/web check` holds it against its
//! sources.

use bytes::Bytes;
use overlay_tokio::StaticFile;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page's files. `/overlay.js` is the npm package in one file, for pages elsewhere as well.
pub(crate) fn files() -> Vec<StaticFile> {
    let file = |path, media_type, body| StaticFile {
        path,
        media_type,
        body: Bytes::from_static(body),
    };
    vec![
        file(
            "/",
            "text/html; charset=utf-8",
            include_bytes!("../page/index.html"),
        ),
        file(
            "/page.css",
            "text/css; charset=utf-8",
            include_bytes!("../page/page.css"),
        ),
        file("/page.js", SCRIPT, include_bytes!("../page/page.js")),
        file("/overlay.js", SCRIPT, include_bytes!("../page/overlay.js")),
    ]
}
