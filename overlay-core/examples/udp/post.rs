//! A UDP socket, and what a datagram says.
//!
//! UDP replaces WebRTC here. A link of the overlay must be reliable and ordered; between processes of
//! one machine UDP is, as long as no buffer overflows. Across a network a program would take WebRTC,
//! QUIC, or TCP instead.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::str::FromStr;
use std::time::{Duration, Instant as SystemTime};

use bytes::Bytes;
use overlay_core::Instant;

/// A socket on loopback, and a clock.
pub(crate) struct Post {
    socket: UdpSocket,
    /// The longest datagram.
    buffer: Box<[u8]>,
    start: SystemTime,
}

/// One end of a connection: a socket, and there a port of this example's own. Port 0 is the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) socket: SocketAddr,
    pub(crate) port: u32,
}

/// A message between two ends.
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) port: u32,
    pub(crate) kind: Kind,
    pub(crate) payload: Bytes,
}

/// What a datagram is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Let us be connected; or: we are.
    Open,
    /// One frame of the protocol.
    Data,
    /// We are connected no more.
    Close,
}

/// The port, and the kind.
const HEAD: usize = 5;

impl Post {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            socket: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
            buffer: vec![0; 64 * 1024].into(),
            start: SystemTime::now(),
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The time, as the core wants it: since an origin of our own.
    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    pub(crate) fn send(&self, to: End, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let mut datagram = Vec::with_capacity(HEAD + payload.len());
        datagram.extend(to.port.to_le_bytes());
        datagram.push(kind as u8);
        datagram.extend(payload);
        match self.socket.send_to(&datagram, to.socket) {
            // A peer that does not get it falls silent, and the core notices that.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The next datagram, if one comes before `deadline`. Without a deadline it is waited for.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Option<Datagram>> {
        let wait = deadline.map(|deadline| deadline.since(self.now()));
        if wait == Some(Duration::ZERO) {
            return Ok(None);
        }
        self.socket.set_read_timeout(wait)?;
        self.receive()
    }

    /// The next datagram, if there is one already.
    pub(crate) fn poll(&mut self) -> io::Result<Option<Datagram>> {
        self.socket.set_nonblocking(true)?;
        let received = self.receive();
        self.socket.set_nonblocking(false)?;
        received
    }

    fn receive(&mut self) -> io::Result<Option<Datagram>> {
        match self.socket.recv_from(&mut self.buffer) {
            // Any process may send anything: what makes no sense is left out.
            Ok((length, from)) => Ok(parse(from, &self.buffer[..length])),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionReset => {
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }
}

fn parse(from: SocketAddr, bytes: &[u8]) -> Option<Datagram> {
    let (port, rest) = bytes.split_first_chunk()?;
    let (kind, payload) = rest.split_first()?;
    let kind = match kind {
        0 => Kind::Open,
        1 => Kind::Data,
        2 => Kind::Close,
        _ => return None,
    };
    Some(Datagram {
        from,
        port: u32::from_le_bytes(*port),
        kind,
        payload: Bytes::copy_from_slice(payload),
    })
}

/// What an offer or an answer says: where its side is.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.socket, self.port)
    }
}

impl FromStr for End {
    type Err = NotAnEnd;

    /// It comes from a peer: an honest program does not send to wherever a stranger wants it to.
    fn from_str(text: &str) -> Result<Self, NotAnEnd> {
        let (socket, port) = text.split_once('/').ok_or(NotAnEnd)?;
        let socket: SocketAddr = socket.parse().map_err(|_| NotAnEnd)?;
        let port = port.parse().map_err(|_| NotAnEnd)?;
        if socket.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) || port == 0 {
            return Err(NotAnEnd);
        }
        Ok(Self { socket, port })
    }
}

/// The text says nothing about where to send datagrams.
#[derive(Debug)]
pub(crate) struct NotAnEnd;
