//! Tests of [`Guests`](super::Guests).

use std::sync::Arc;

use super::Guests;

/// Lets addresses in one after the other, two of each network at most; says who stays outside.
fn check(addresses: &str, outside: &str) {
    let guests = Arc::new(Guests::default());
    let enter = |text: &&str| guests.enter(text.parse().unwrap(), 2);
    let (inside, refused): (Vec<_>, Vec<_>) = addresses
        .split(' ')
        .map(|text| (text, enter(&text)))
        .partition(|(_, guest)| guest.is_some());
    let refused: Vec<_> = refused.iter().map(|(text, _)| *text).collect();
    assert_eq!(refused.join(" "), outside);
    drop(inside);
    assert!(guests.0.lock().unwrap().is_empty(), "nobody is forgotten");
}

#[test]
fn an_address_has_its_share() {
    check("10.0.0.1 10.0.0.1 10.0.0.1 10.0.0.2", "10.0.0.1");
}

#[test]
fn an_address_in_the_clothes_of_the_other_family_is_the_same() {
    check("10.0.0.1 ::ffff:10.0.0.1 10.0.0.1", "10.0.0.1");
}

#[test]
fn a_network_of_ipv6_counts_as_one() {
    check(
        "2001:db8::1 2001:db8::2 2001:db8::ffff:1 2001:db8:0:1::1",
        "2001:db8::ffff:1",
    );
}

#[test]
fn without_a_bound_everybody_comes_in() {
    let guests = Arc::new(Guests::default());
    let address = "10.0.0.1".parse().unwrap();
    let inside: Vec<_> = (0..100).map(|_| guests.enter(address, 0)).collect();
    assert!(inside.iter().all(Option::is_some));
}

#[test]
fn who_leaves_makes_room() {
    let guests = Arc::new(Guests::default());
    let address = "10.0.0.1".parse().unwrap();
    let first = guests.enter(address, 1);
    assert!(first.is_some() && guests.enter(address, 1).is_none());
    drop(first);
    assert!(guests.enter(address, 1).is_some());
}
