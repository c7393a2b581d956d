//! Cuts BTF in two: a base, and split BTF on top of it.

use kwalk_btf::{Btf, Endian};

/// The split BTF that continues `base`, with whose types and strings `whole` begins. Both headers are of 24 bytes, with the
/// types behind them and the strings behind those.
pub(crate) fn cut(base: &[u8], whole: &[u8]) -> Vec<u8> {
    let big = Btf::new(whole).unwrap().endian() == Endian::Big;
    let word = |bytes: &[u8], at: usize| {
        let word = bytes[at..at + 4].try_into().unwrap();
        (if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }) as usize
    };
    let sections = |bytes: &[u8]| {
        let (types, strings) = bytes[24..].split_at(word(bytes, 12));
        [types.to_vec(), strings[..word(bytes, 20)].to_vec()]
    };
    let [types, strings] = [0, 1].map(|nth| {
        let (base, whole) = (&sections(base)[nth], &sections(whole)[nth]);
        whole.strip_prefix(&base[..]).unwrap().to_vec()
    });
    let header = [0, types.len(), types.len(), strings.len()].map(|len| len as u32);
    let header = header.map(|len| if big { len.to_be_bytes() } else { len.to_le_bytes() });
    [&whole[..8], &header.concat(), &types, &strings].concat()
}
