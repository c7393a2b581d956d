//! Short texts into a buffer.

/// Up to so many bytes are copied one by one.
const FEW: usize = 16;

/// Adds bytes that are few in most cases.
///
/// musl takes as long to begin a copy of any number of bytes as it takes to copy so few one by one, and longer. Other C libraries
/// are faster at it.
#[inline]
pub(super) fn append(bytes: &[u8], out: &mut Vec<u8>) {
    if cfg!(target_env = "musl") && bytes.len() <= FEW {
        bytes.iter().for_each(|byte| out.push(*byte));
    } else {
        out.extend_from_slice(bytes);
    }
}
