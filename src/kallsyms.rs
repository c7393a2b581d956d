//! The kernel's symbols, by address and by name.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader};

/// The symbols of `/proc/kallsyms`. Without `CAP_SYSLOG`, a reader may see 0 for each address (`kernel.kptr_restrict`);
/// symbols with the address 0 are left out.
#[derive(Debug)]
pub struct Kallsyms {
    /// All names, one a line.
    names: String,
    /// The address of a symbol and the offset of its name in `names`, sorted.
    by_address: Vec<(u64, usize)>,
    /// The hash of a symbol's name and the symbol's index in `by_address`, sorted. To sort the names themselves would
    /// take twice as long.
    by_hash: Vec<(u64, usize)>,
}

impl Kallsyms {
    /// Reads all symbols: some 100,000 lines.
    ///
    /// # Errors
    ///
    /// Those of open(2) and read(2); [`InvalidData`](io::ErrorKind::InvalidData) if the file is not UTF-8.
    pub fn read() -> io::Result<Kallsyms> {
        Kallsyms::parse(BufReader::new(File::open("/proc/kallsyms")?))
    }

    /// A line has an address, a letter for the type, a name and, if the symbol is a module's, the module.
    fn parse(mut lines: impl BufRead) -> io::Result<Kallsyms> {
        let mut symbols = Kallsyms { names: String::new(), by_address: Vec::new(), by_hash: Vec::new() };
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            let mut words = line.split_ascii_whitespace();
            if let (Some(address), Some(_), Some(name)) = (words.next(), words.next(), words.next()) {
                if let Ok(address @ 1..) = u64::from_str_radix(address, 16) {
                    symbols.by_address.push((address, symbols.names.len()));
                    symbols.names.extend([name, "\n"]);
                }
            }
            line.clear();
        }
        symbols.by_address.sort_unstable();
        let indices = symbols.by_address.iter().enumerate();
        symbols.by_hash = indices.map(|(index, &(_, start))| (hash(symbols.name(start)), index)).collect();
        symbols.by_hash.sort_unstable();
        Ok(symbols)
    }

    /// The names of the symbols at an address.
    pub fn at(&self, address: u64) -> impl Iterator<Item = &str> {
        same(&self.by_address, address).map(|start| self.name(start))
    }

    /// The symbol that contains an address: its name, its start, and the distance from there to the next symbol.
    pub fn around(&self, address: u64) -> Option<(&str, u64, u64)> {
        let after = self.by_address.partition_point(|&(start, _)| start <= address);
        let &(next, _) = self.by_address.get(after)?;
        let &(start, _) = self.by_address.get(after.checked_sub(1)?)?;
        Some((self.at(start).next()?, start, next - start))
    }

    /// The address of the symbol called `name`; the lowest, if there are several.
    pub fn address(&self, name: &str) -> Option<u64> {
        let mut symbols = same(&self.by_hash, hash(name)).map(|index| self.by_address[index]);
        symbols.find(|&(_, start)| self.name(start) == name).map(|(address, _)| address)
    }

    fn name(&self, start: usize) -> &str {
        self.names[start..].split('\n').next().unwrap_or_default()
    }
}

/// The values of a key, in a table that is sorted by key.
fn same(table: &[(u64, usize)], key: u64) -> impl Iterator<Item = usize> {
    let first = table.partition_point(|&(other, _)| other < key);
    table[first..].iter().take_while(move |&&(other, _)| other == key).map(|&(_, value)| value)
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "ffffffff81000020 T beta\nffffffff81000010 t alpha\nffffffff81000020 T beta_too\n\
                        ffffffffc0000000 t inner\t[module]\nffffffff81000000 t alpha\nodd\n\
                        0000000000000000 A hidden\nffffffff81000030 T last";

    fn parsed(text: &str) -> Kallsyms {
        Kallsyms::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_address_gives_names_and_a_name_gives_an_address() {
        let symbols = parsed(TEXT);
        assert_eq!(symbols.at(0xffff_ffff_8100_0020).collect::<Vec<_>>(), ["beta", "beta_too"]);
        assert_eq!(symbols.at(0xffff_ffff_c000_0000).collect::<Vec<_>>(), ["inner"]);
        assert_eq!(symbols.at(0xffff_ffff_8100_0021).count(), 0);
        assert_eq!(symbols.address("alpha"), Some(0xffff_ffff_8100_0000));
        assert_eq!(symbols.address("beta_too"), Some(0xffff_ffff_8100_0020));
        assert_eq!(symbols.address("inner"), Some(0xffff_ffff_c000_0000));
        assert_eq!(symbols.address("last"), Some(0xffff_ffff_8100_0030));
        assert_eq!(symbols.address("beta_"), None);
        assert_eq!(symbols.address(""), None);
    }

    #[test]
    fn symbols_with_address_0_are_left_out() {
        let symbols = parsed(&TEXT.replace(['1', '2', '3', '8', 'c', 'f'], "0"));
        for name in ["alpha", "beta", "hidden", "inner", "last"] {
            assert_eq!(symbols.address(name), None);
        }
        assert_eq!(symbols.at(0).count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn both_indices_agree_with_a_linear_search(
            lines in prop::collection::vec("0{0,15}[0-3] [tA] [ab]{1,2}(\t\\[m\\])?|[ -~\t]{0,20}", 0..40)
        ) {
            let text = lines.join("\n");
            let symbols = parsed(&text);
            let rows: Vec<(u64, &str)> = text.lines().filter_map(|line| {
                let [address, _, name, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
                Some((u64::from_str_radix(address, 16).ok().filter(|&address| address != 0)?, name))
            }).collect();
            for address in 0..5 {
                let names: Vec<_> = rows.iter().filter(|row| row.0 == address).map(|row| row.1).collect();
                prop_assert_eq!(symbols.at(address).collect::<Vec<_>>(), names);
            }
            for name in ["a", "b", "aa", "ab", "ba", "bb", "t", "c"] {
                let address = rows.iter().filter(|row| row.1 == name).map(|row| row.0).min();
                prop_assert_eq!(symbols.address(name), address);
            }
        }

        #[test]
        fn bytes_that_are_not_utf8_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let error = Kallsyms::parse(&*bytes).err().map(|error| error.kind());
            prop_assert_eq!(error, std::str::from_utf8(&bytes).is_err().then_some(io::ErrorKind::InvalidData));
        }
    }
}
