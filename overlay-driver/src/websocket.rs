//! WebSockets, as both ends of a connection to a bootstrap server use them.

use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use overlay_core::wire::MAX_FRAME;

/// Bytes that are read at once. Most frames are an ICE candidate or a description, of 2 KiB at most. The usual 128 KiB
/// would be held by each connection, and filled with zeros before each read.
const READ_BUFFER: usize = 4 * 1024;

/// The settings of a WebSocket that takes frames of the protocol, and nothing longer.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME))
}
