//! Sleep.
