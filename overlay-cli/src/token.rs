//! Tokens, from a file or from the environment.

use std::collections::BTreeMap;
use std::env::VarError;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use overlay_tokio::core::bootstrap::Access;
use overlay_tokio::{OverlayName, Token};

use crate::args::TokenArg;
use crate::hint::WithHint;

const HOW: &str =
    "give --token-file FILE, or set OVERLAY_TOKEN; `openssl rand -hex 16` makes a good token";

/// The variable with the token, where no file is given.
const VARIABLE: &str = "OVERLAY_TOKEN";

/// The token of a root.
pub(crate) fn of_root(args: &TokenArg, overlay: &OverlayName) -> anyhow::Result<Token> {
    let mut tokens = tokens(args)?;
    // A file that the server uses as well may hold the tokens of several overlays.
    let token = tokens.named.remove(overlay).or(tokens.any);
    token.ok_or_else(|| anyhow!("there is no token for the overlay `{overlay}`").hint(HOW))
}

/// The tokens with which a node may be the root on a server.
pub(crate) fn of_server(args: &TokenArg) -> anyhow::Result<Access> {
    let tokens = tokens(args)?;
    let mut access = Access::default();
    if let Some(token) = tokens.any {
        access = access.any_overlay(token);
    }
    for (name, token) in tokens.named {
        access = access.overlay(name, token);
    }
    Ok(access)
}

/// The tokens of a file.
#[derive(Debug, Default)]
struct Tokens {
    /// For every overlay without its own.
    any: Option<Token>,
    named: BTreeMap<OverlayName, Token>,
}

fn tokens(args: &TokenArg) -> anyhow::Result<Tokens> {
    // A file that is asked for counts more than a variable that may have been set for something else.
    let tokens = match &args.token_file {
        Some(file) => parse(&read(file)?).with_context(|| file.display().to_string())?,
        None => match std::env::var(VARIABLE) {
            Ok(token) if !token.trim().is_empty() => parse_one(&token).context(VARIABLE)?,
            Ok(_) | Err(VarError::NotPresent) => {
                return Err(anyhow!("a root needs a token").hint(HOW));
            }
            Err(error) => return Err(error).context(VARIABLE),
        },
    };
    if tokens.any.is_none() && tokens.named.is_empty() {
        let file = args
            .token_file
            .as_deref()
            .unwrap_or(Path::new(""))
            .display();
        return Err(anyhow!("the token file {file} holds no token")
            .hint("`openssl rand -hex 16` makes a good one"));
    }
    Ok(tokens)
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the token file {}", file.display()))
        .map_err(|error| error.hint(HOW))
}

/// One entry a line: `TOKEN`, or `NAME TOKEN`. Empty lines and lines that start with `#` are skipped. No two are for the
/// same overlays: which of them counts would be a matter of luck.
fn parse(text: &str) -> anyhow::Result<Tokens> {
    let mut tokens = Tokens::default();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, token) = entry(line).with_context(|| format!("line {number}"))?;
        let before = match name.clone() {
            Some(name) => tokens.named.insert(name, token),
            None => tokens.any.replace(token),
        };
        if before.is_some() {
            let overlay = name.map_or_else(
                || "any overlay".to_owned(),
                |name| format!("the overlay `{name}`"),
            );
            bail!("line {number} holds a second token for {overlay}");
        }
    }
    Ok(tokens)
}

fn parse_one(token: &str) -> anyhow::Result<Tokens> {
    let (_, any) = entry(token.trim())?;
    Ok(Tokens {
        any: Some(any),
        ..Tokens::default()
    })
}

fn entry(line: &str) -> anyhow::Result<(Option<OverlayName>, Token)> {
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
    Ok((overlay, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_hold_one_token_and_one_for_each_overlay() {
        let tokens = parse("# roots\nconcert s3cret\n\n  hunter2  \n").unwrap();
        assert_eq!(tokens.any.unwrap().expose(), "hunter2");
        let named = tokens.named.iter();
        let named: Vec<_> = named
            .map(|(name, token)| (&**name, token.expose()))
            .collect();
        assert_eq!(named, [("concert", "s3cret")]);
    }

    #[test]
    fn two_tokens_for_the_same_overlays_are_an_error_that_names_the_line() {
        for (text, words) in [
            ("one\ntwo\n", "line 2 holds a second token for any overlay"),
            (
                "tea one\n\ntea two\n",
                "line 3 holds a second token for the overlay `tea`",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn a_line_of_three_words_is_rejected_by_its_number() {
        let error = parse("one\na b c").unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "line 2: a line holds `TOKEN` or `NAME TOKEN`"
        );
    }
}
