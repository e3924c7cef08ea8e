//! What the command says when it fails, and what to do about it.

use std::fmt;

use anyhow::Error;

/// What to do about an error, as its outermost context.
#[derive(Debug)]
struct Hint(&'static str);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Adds what to do next.
pub(crate) trait WithHint {
    fn hint(self, hint: &'static str) -> Error;
}

impl WithHint for Error {
    fn hint(self, hint: &'static str) -> Error {
        self.context(Hint(hint))
    }
}

/// What was being done, why it failed, and in a line of its own what to do next.
pub(crate) fn describe(error: &Error) -> String {
    let hint = error.downcast_ref::<Hint>();
    let mut text = String::from("error");
    for cause in error.chain().skip(usize::from(hint.is_some())) {
        let cause = cause.to_string();
        // Some errors name their cause themselves.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    match hint {
        Some(Hint(hint)) => format!("{text}\n  {hint}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn an_error_tells_the_step_its_cause_and_the_remedy() {
        let error = anyhow!("no such file").context("cannot read it");
        assert_eq!(describe(&error), "error: cannot read it: no such file");
        let error = error.hint("make it");
        assert_eq!(
            describe(&error),
            "error: cannot read it: no such file\n  make it"
        );
    }

    #[test]
    fn a_cause_that_the_error_names_itself_is_named_once() {
        let error = anyhow!("broken pipe").context("cannot write: broken pipe");
        assert_eq!(describe(&error), "error: cannot write: broken pipe");
    }
}
