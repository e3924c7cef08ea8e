//! Bugs on purpose. A test of the tests gives a node one, and sees whether the tests notice.
//!
//! None of this is in what ships: it takes `RUSTFLAGS="--cfg planted"`. Each bug is one `planted!` beside the code that
//! it breaks, and an error that is easily made there. The node goes on, and looks well at first.

#[cfg(planted)]
mod bugs;

#[cfg(planted)]
pub use bugs::Planted;

/// Whether a node with this configuration has this bug: never, in what ships.
#[cfg(planted)]
macro_rules! planted {
    ($config:expr, $bug:ident) => {
        $config.planted == Some(crate::Planted::$bug)
    };
}

/// Whether a node with this configuration has this bug: never, in what ships.
#[cfg(not(planted))]
macro_rules! planted {
    ($config:expr, $bug:ident) => {{
        let _ = &$config;
        false
    }};
}
