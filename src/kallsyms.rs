//! The kernel's symbols: names for its addresses, and addresses for its names.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader};

/// What `/proc/kallsyms` says. A reader without `CAP_SYSLOG` may be shown no address at all (`kernel.kptr_restrict`);
/// symbols without one are left out.
#[derive(Debug)]
pub struct Kallsyms {
    /// All names, a line each.
    names: String,
    /// Address, and where in `names` the name begins; in this order.
    by_address: Vec<(u64, usize)>,
    /// Hash of the name, and place in `by_address`; in this order. The names themselves would take twice as long to sort,
    /// for which every reader waits.
    by_hash: Vec<(u64, usize)>,
}

impl Kallsyms {
    /// Reads all of them: some 100,000 lines.
    ///
    /// # Errors
    ///
    /// Those of the file; [`InvalidData`](io::ErrorKind::InvalidData) if it is no text.
    pub fn read() -> io::Result<Kallsyms> {
        Kallsyms::parse(BufReader::new(File::open("/proc/kallsyms")?))
    }

    /// Lines are an address, a letter for the type, a name and, for what is a module's, the module.
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
        let places = symbols.by_address.iter().enumerate();
        symbols.by_hash = places.map(|(place, &(_, start))| (hash(symbols.name(start)), place)).collect();
        symbols.by_hash.sort_unstable();
        Ok(symbols)
    }

    /// The names of what lies at an address, if any.
    pub fn at(&self, address: u64) -> impl Iterator<Item = &str> {
        same(&self.by_address, address).map(|start| self.name(start))
    }

    /// The symbol that an address is in: its name, where it begins, and how far it is to the next one.
    pub fn around(&self, address: u64) -> Option<(&str, u64, u64)> {
        let behind = self.by_address.partition_point(|&(start, _)| start <= address);
        let &(next, _) = self.by_address.get(behind)?;
        let &(start, _) = self.by_address.get(behind.checked_sub(1)?)?;
        Some((self.at(start).next()?, start, next - start))
    }

    /// Where the symbol called `name` lies; the lowest address, if there are several.
    pub fn address(&self, name: &str) -> Option<u64> {
        let mut symbols = same(&self.by_hash, hash(name)).map(|place| self.by_address[place]);
        symbols.find(|&(_, start)| self.name(start) == name).map(|(address, _)| address)
    }

    fn name(&self, start: usize) -> &str {
        self.names[start..].split('\n').next().unwrap_or_default()
    }
}

/// What is said of a key, in a table in the order of its keys.
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
    fn names_are_found_by_address_and_addresses_by_name() {
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
    fn what_is_shown_no_address_has_none() {
        let symbols = parsed(&TEXT.replace(['1', '2', '3', '8', 'c', 'f'], "0"));
        for name in ["alpha", "beta", "hidden", "inner", "last"] {
            assert_eq!(symbols.address(name), None);
        }
        assert_eq!(symbols.at(0).count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn both_say_what_a_look_at_every_line_says(
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
        fn bytes_that_are_no_text_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let error = Kallsyms::parse(&*bytes).err().map(|error| error.kind());
            prop_assert_eq!(error, std::str::from_utf8(&bytes).is_err().then_some(io::ErrorKind::InvalidData));
        }
    }
}
