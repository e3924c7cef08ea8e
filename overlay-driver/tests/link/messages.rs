//! Frames on an open link.
