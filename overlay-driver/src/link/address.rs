//! The local addresses that a link is bound to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rtc::shared::ifaces::ifaces;
use tracing::debug;

/// Most addresses of one link. Each costs a socket, and every pair of a local and a remote one is probed. A machine
/// with more has bridges and temporary addresses.
const MAX_ADDRESSES: usize = 8;

/// The addresses to bind, each with a free port: those in `bind`, or all that other machines may reach.
pub(super) fn local(bind: &[IpAddr]) -> Vec<SocketAddr> {
    let mut addresses = if bind.is_empty() {
        reachable()
    } else {
        bind.to_vec()
    };
    if addresses.is_empty() {
        // A machine without a network still connects to itself.
        addresses.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    addresses
        .into_iter()
        .take(MAX_ADDRESSES)
        .map(|ip| SocketAddr::new(ip, 0))
        .collect()
}

fn reachable() -> Vec<IpAddr> {
    let interfaces = ifaces().unwrap_or_else(|error| {
        debug!(%error, "cannot list the network interfaces");
        Vec::new()
    });
    let mut found: Vec<IpAddr> = interfaces
        .into_iter()
        .filter_map(|interface| Some(interface.addr?.ip()))
        .filter(|ip| !ip.is_loopback() && !ip.is_unspecified() && !is_link_local(ip))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether an address means something else on each interface. An ICE candidate cannot say on which.
fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
