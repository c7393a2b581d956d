//! kwalk
