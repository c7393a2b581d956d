//! Kernel versions.

/// A kernel's version as `(major, minor)`, such as `(6, 12)`.
pub type Version = (u16, u16);
