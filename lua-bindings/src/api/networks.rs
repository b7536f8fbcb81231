//! Lists of addresses and networks in a checked configuration.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::raw::{Kind, Raise, Slot, Stack};

/// Reads `reserved_for` from a table that the Lua half made.
///
/// # Errors
/// Something in it is neither an address nor a network.
pub(super) fn read(stack: &mut Stack, slot: Slot) -> Result<Vec<IpNet>, Raise> {
    let top = stack.top();
    let mut networks = Vec::new();
    if stack.raw_field(slot, "reserved_for") == Kind::Table {
        let list = stack.top();
        for place in 1..=stack.raw_len(list) {
            let _ = stack.raw_item(list, place);
            let text = stack.lossy(-1).unwrap_or_default();
            stack.pop(1);
            networks.push(network(&text).ok_or_else(|| {
                let what = "is neither an address nor a network";
                Raise::text(format!("reserved_for: \"{text}\" {what}"))
            })?);
        }
    }
    stack.set_top(top);
    Ok(networks)
}

/// `10.0.0.0/8`, or an address alone. IPv4 in the clothes of IPv6 is IPv4, as peers are.
fn network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical().into());
    }
    text.parse::<IpNet>().ok()
}
