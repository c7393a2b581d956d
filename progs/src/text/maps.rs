//! `maps`: the kernel's BPF maps, as its preloaded `maps.debug` shows them.

use kwalk_asm::Label;
use kwalk_asm::Reg::*;

use super::options::Options;
use crate::builder::{Builder, Rows};
use crate::error::Error;
use crate::operand::Value;

/// Counts a map's elements; since Linux 6.6.
const ELEM_COUNT: &str = "bpf_map_sum_elem_count";

pub(super) fn emit(w: &mut Builder<'_>, _: &Options, done: Label) -> Result<(), Error> {
    let map = w.trusted_object(R7, done)?;
    let (id, name, max_entries) = (map.field("id"), map.text("name"), map.field("max_entries"));
    if w.kernel().kfunc(ELEM_COUNT)?.is_none() {
        w.header("  id name             max_entries\n", Rows::All)?;
        return w.printf("%4u %-16s%6d\n", &[id, name, max_entries]);
    }
    w.header("  id name             max_entries  cur_entries\n", Rows::All)?;
    let elem_count = w.kfunc(ELEM_COUNT)?;
    w.call_with(elem_count, &map);
    w.asm.mov(R8, R0);
    w.printf("%4u %-16s  %10d   %10lld\n", &[id, name, max_entries, Value::Reg(R8)])
}
