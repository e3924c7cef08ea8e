//! Tokens, from a file or from the environment.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use overlay_tokio::core::bootstrap::Access;
use overlay_tokio::{OverlayName, Token};

use crate::args::TokenArg;
use crate::hint::WithHint;

const HOW: &str =
    "give --token-file FILE, or set OVERLAY_TOKEN; `openssl rand -hex 16` makes a good token";

/// The token of a root.
pub(crate) fn of_root(args: &TokenArg, overlay: &OverlayName) -> anyhow::Result<Token> {
    let entries = entries(args)?;
    // A file that the server uses as well may hold the tokens of several overlays.
    let named = entries
        .iter()
        .find(|entry| entry.overlay.as_deref() == Some(&**overlay));
    let any = entries.iter().find(|entry| entry.overlay.is_none());
    named
        .or(any)
        .map(|entry| entry.token.clone())
        .ok_or_else(|| anyhow!("there is no token for the overlay `{overlay}`").hint(HOW))
}

/// The tokens with which a node may be the root on a server.
pub(crate) fn of_server(args: &TokenArg) -> anyhow::Result<Access> {
    let mut access = Access::default();
    for Entry { overlay, token } in entries(args)? {
        access = match overlay {
            Some(name) => access.overlay(name, token),
            None => access.any_overlay(token),
        };
    }
    Ok(access)
}

/// A token, and the overlay that it is for; none means any.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    overlay: Option<OverlayName>,
    token: Token,
}

fn entries(args: &TokenArg) -> anyhow::Result<Vec<Entry>> {
    let entries = match (&args.token_file, &args.token) {
        (Some(file), _) => parse(&read(file)?).with_context(|| file.display().to_string())?,
        (None, Some(token)) => vec![entry(token.trim())?],
        (None, None) => return Err(anyhow!("a root needs a token").hint(HOW)),
    };
    if entries.is_empty() {
        return Err(anyhow!("the token file holds no token").hint(HOW));
    }
    Ok(entries)
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the token file {}", file.display()))
        .map_err(|error| error.hint(HOW))
}

/// One entry a line; empty lines and lines that start with `#` are skipped.
fn parse(text: &str) -> anyhow::Result<Vec<Entry>> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(entry)
        .collect()
}

/// `TOKEN`, or `NAME TOKEN`.
fn entry(line: &str) -> anyhow::Result<Entry> {
    let (overlay, token) = match line.split_once(char::is_whitespace) {
        Some((name, token)) => {
            let name = OverlayName::new(name).context("overlay name")?;
            (Some(name), token.trim())
        }
        None => (None, line),
    };
    if token.is_empty() || token.contains(char::is_whitespace) {
        bail!("a line holds `TOKEN` or `NAME TOKEN`");
    }
    let token = Token::new(token).context("token")?;
    Ok(Entry { overlay, token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_hold_one_token_or_one_for_each_overlay() {
        let entries = parse("# roots\nconcert s3cret\n\n  hunter2  \n").unwrap();
        let tokens: Vec<_> = entries
            .iter()
            .map(|entry| (entry.overlay.as_deref(), entry.token.expose()))
            .collect();
        assert_eq!(tokens, [(Some("concert"), "s3cret"), (None, "hunter2")]);
    }

    #[test]
    fn a_line_of_three_words_is_rejected() {
        assert!(parse("a b c").is_err());
    }
}
