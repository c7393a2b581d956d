//! Small BTF blobs, built here: what each kind looks like, where field paths lead, and what damage does.

mod builder;
mod damage;
mod path;
mod spell;
mod types;
