//! The build of LuaJIT that we link is one whose hook mask is found.

use super::super::call::Vm;

#[test]
fn the_hook_mask_is_found() {
    assert!(Vm::new().knows_hooks());
}

#[test]
fn nothing_is_active_at_first() {
    let vm = Vm::new();
    assert!(!vm.hook_active());
    assert!(!vm.in_callback());
}
