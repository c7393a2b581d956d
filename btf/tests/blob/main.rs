//! Small BTF blobs, built here: what each kind looks like, where field paths lead, and what damage does.

mod ask;
mod builder;
mod cut;
mod damage;
mod layout;
mod path;
mod spec;
mod spell;
mod split;
mod types;
mod write;
