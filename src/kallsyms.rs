//! The kernel's symbols: names for its addresses.

use std::fs::read_to_string;
use std::io;
use std::ops::Range;

/// What `/proc/kallsyms` says, of which a reader without `CAP_SYSLOG` may be shown no address at all
/// (`kernel.kptr_restrict`).
#[derive(Debug)]
pub struct Kallsyms {
    text: String,
    /// Address, and place of the name in the text; in order of the addresses, those hidden left out.
    symbols: Vec<(u64, Range<usize>)>,
}

impl Kallsyms {
    /// Reads all of them: some 100,000 lines.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn read() -> io::Result<Kallsyms> {
        Ok(Kallsyms::new(read_to_string("/proc/kallsyms")?))
    }

    /// Lines are an address, a letter for the type, a name and, for what is a module's, the module.
    fn new(text: String) -> Kallsyms {
        let mut symbols = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let mut words = line.split_ascii_whitespace();
            if let (Some(address), Some(_), Some(name)) = (words.next(), words.next(), words.next()) {
                if let Ok(address @ 1..) = u64::from_str_radix(address, 16) {
                    let at = start + (name.as_ptr() as usize - line.as_ptr() as usize);
                    symbols.push((address, at..at + name.len()));
                }
            }
            start += line.len();
        }
        symbols.sort_by_key(|(address, _)| *address);
        Kallsyms { text, symbols }
    }

    /// The names of what lies at an address, if any.
    pub fn at(&self, address: u64) -> impl Iterator<Item = &str> {
        let first = self.symbols.partition_point(|(other, _)| *other < address);
        let same = self.symbols.iter().skip(first).take_while(move |(other, _)| *other == address);
        same.filter_map(|(_, name)| self.text.get(name.clone()))
    }

    /// Where the symbol called `name` lies; the first, if there are several.
    pub fn address(&self, name: &str) -> Option<u64> {
        let found = self.symbols.iter().find(|(_, range)| self.text.get(range.clone()) == Some(name));
        found.map(|(address, _)| *address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ffffffff81000020 T beta\nffffffff81000010 t alpha\nffffffff81000020 T beta_too\n\
                        ffffffffc0000000 t inner\t[module]\n0000000000000000 A hidden\nodd\n";

    #[test]
    fn names_are_found_by_address_and_addresses_by_name() {
        let symbols = Kallsyms::new(TEXT.into());
        assert_eq!(symbols.at(0xffff_ffff_8100_0020).collect::<Vec<_>>(), ["beta", "beta_too"]);
        assert_eq!(symbols.at(0xffff_ffff_c000_0000).collect::<Vec<_>>(), ["inner"]);
        assert_eq!(symbols.at(0xffff_ffff_8100_0021).count(), 0);
        assert_eq!(symbols.address("alpha"), Some(0xffff_ffff_8100_0010));
        assert_eq!(symbols.address("inner"), Some(0xffff_ffff_c000_0000));
        assert_eq!(symbols.address("hidden"), None);
        assert_eq!(symbols.at(0).count(), 0);
    }
}
