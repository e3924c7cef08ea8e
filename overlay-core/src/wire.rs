//! The bytes that nodes and servers exchange: [postcard](https://postcard.jamesmunns.com/wire-format)
//! frames, one in each data-channel or WebSocket message.
//!
//! Decoding is total: any byte string gives a frame or a [`WireError`]. What decodes is canonical, so
//! encoding it again gives the same bytes, and every length is checked before anything is allocated.
//!
//! The first frame in each direction carries the protocol version right behind its tag. That much of
//! the layout never changes, so that any two versions can tell each other what they are.

mod header;
mod join;
mod link;
mod record;
mod server;

use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use header::{Answer, MAX_HEADER, Question, Reply, behind, split};
pub use join::{ANY_DEPTH, JoinFrame, JoinKind, JoinRequest, RejectReason, Rejection, TO_THE_ROOT};
pub use link::{GoodbyeReason, Invitation, Lane, LinkFrame, MAX_LAST, Replied, Stall};
pub(crate) use record::Header;
pub use record::{MAX_PART, MAX_RECORDS, Part, Record, record_len};
pub use server::{
    ClientFrame, ClientRole, Ended, MAX_OVERLAY_NAME, MAX_TOKEN, OverlayName, Refusal,
    Registration, ResumeSecret, ServerFrame, Token,
};

/// The protocol version that this crate speaks.
pub const VERSION: u16 = 4;

/// Longest frame, in bytes. A WebRTC connection that takes messages of about this length needs less
/// than half the memory of one that takes 256 KiB, and a control frame waits behind little.
pub const MAX_FRAME: usize = 16 * 1024;

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes exceeds the limit of {MAX_FRAME}")]
    TooLong(usize),
    /// The peer speaks another version of the protocol.
    #[error("the peer speaks protocol version {0}, this side {VERSION}")]
    Version(u16),
    /// Not a frame, or one that breaks a limit.
    #[error("not a frame of this protocol")]
    Malformed,
}

/// The frames of one kind of sender to one kind of receiver.
pub trait Frame: Serialize {
    /// The number of kinds that open a conversation. Their tags are the lowest, and the version follows behind.
    const OPENINGS: u8;
}

/// A joiner says hello, and its acceptor welcomes it.
impl Frame for LinkFrame<'_> {
    const OPENINGS: u8 = 2;
}

/// A client says hello.
impl Frame for ClientFrame {
    const OPENINGS: u8 = 1;
}

/// A server welcomes a client, or refuses it.
impl Frame for ServerFrame {
    const OPENINGS: u8 = 2;
}

/// A frame as bytes.
///
/// # Panics
///
/// Never: the frames of this module are all representable, and memory is the only sink.
pub fn encode<F: Serialize>(frame: &F) -> Bytes {
    // Measured first, so that there is one allocation, of the right size.
    let size = postcard::experimental::serialized_size(frame).unwrap_or_default();
    let bytes = postcard::to_extend(frame, Vec::with_capacity(size));
    debug_assert!(bytes.is_ok(), "every frame of this module is representable");
    Bytes::from(bytes.unwrap_or_default())
}

/// The frame that `bytes` hold.
pub fn decode<'a, F: Frame + Deserialize<'a>>(bytes: &'a [u8]) -> Result<F, WireError> {
    if bytes.len() > MAX_FRAME {
        return Err(WireError::TooLong(bytes.len()));
    }
    if let Some((tag, rest)) = bytes.split_first()
        && *tag < F::OPENINGS
    {
        let (version, _) =
            postcard::take_from_bytes::<u16>(rest).map_err(|_| WireError::Malformed)?;
        if version != VERSION {
            return Err(WireError::Version(version));
        }
    }
    let (frame, rest) = postcard::take_from_bytes::<F>(bytes).map_err(|_| WireError::Malformed)?;
    // A number can be written with more bytes than it needs; of all the spellings of a frame the
    // shortest is the canonical one.
    let canonical = postcard::experimental::serialized_size(&frame);
    if rest.is_empty() && canonical == Ok(bytes.len()) {
        Ok(frame)
    } else {
        Err(WireError::Malformed)
    }
}
