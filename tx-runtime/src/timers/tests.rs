//! The heap against a sorted list.
