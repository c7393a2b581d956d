//! Small BTF blobs, built here: what each kind looks like, where field paths lead, and what damage does.

mod ask;
mod builder;
mod damage;
mod path;
mod spec;
mod spell;
mod types;
mod write;
