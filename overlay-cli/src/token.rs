//! Where tokens come from: a file, or the environment.

use std::path::Path;

use overlay_tokio::core::bootstrap::Access;
use overlay_tokio::{OverlayName, Token};

use crate::args::TokenArg;
use crate::failure::Failure;

const HOW: &str =
    "give --token-file FILE, or set OVERLAY_TOKEN; `openssl rand -hex 16` makes a good token";

/// The token of a root.
pub(crate) fn of_root(args: &TokenArg, overlay: &OverlayName) -> Result<Token, Failure> {
    let entries = entries(args)?;
    // A file that the server uses as well may hold the tokens of several overlays.
    let named = entries
        .iter()
        .find(|entry| entry.overlay.as_deref() == Some(&**overlay));
    let any = entries.iter().find(|entry| entry.overlay.is_none());
    named
        .or(any)
        .map(|entry| entry.token.clone())
        .ok_or_else(|| {
            Failure::new(format!("there is no token for the overlay `{overlay}`")).hint(HOW)
        })
}

/// The tokens with which a node may be the root on a server.
pub(crate) fn of_server(args: &TokenArg) -> Result<Access, Failure> {
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

fn entries(args: &TokenArg) -> Result<Vec<Entry>, Failure> {
    let entries = match (&args.token_file, &args.token) {
        (Some(file), _) => parse(&read(file)?)
            .map_err(|what| Failure::new(format!("{}: {what}", file.display())))?,
        (None, Some(token)) => vec![entry(token.trim()).map_err(Failure::new)?],
        (None, None) => return Err(Failure::new("a root needs a token").hint(HOW)),
    };
    if entries.is_empty() {
        return Err(Failure::new("the token file holds no token").hint(HOW));
    }
    Ok(entries)
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::new(format!(
            "cannot read the token file {}: {error}",
            file.display()
        ))
        .hint(HOW)
    })
}

/// One entry a line; empty lines and lines that start with `#` are skipped.
fn parse(text: &str) -> Result<Vec<Entry>, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(entry)
        .collect()
}

/// `TOKEN`, or `NAME TOKEN`.
fn entry(line: &str) -> Result<Entry, String> {
    let (overlay, token) = match line.split_once(char::is_whitespace) {
        Some((name, token)) => {
            let name = OverlayName::new(name).map_err(|error| format!("overlay name: {error}"))?;
            (Some(name), token.trim())
        }
        None => (None, line),
    };
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err("a line holds `TOKEN` or `NAME TOKEN`".to_owned());
    }
    let token = Token::new(token).map_err(|error| format!("token: {error}"))?;
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
    fn a_line_of_three_words_is_a_mistake() {
        assert!(parse("a b c").is_err());
    }
}
