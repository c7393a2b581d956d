//! Converts texts in comparisons to numbers: names of an enum's values, durations, sizes.

use alloc::string::String;
use alloc::vec::Vec;

use crate::columns::Show;
use crate::error::{Error, Kind, Reason};
use crate::expr::Expr;

/// The names and the unit of an expression's numbers.
#[derive(Default)]
pub(crate) struct Meaning {
    pub(crate) names: Vec<(i128, String)>,
    pub(crate) show: Show,
}

impl Meaning {
    /// The numbers with this name. If none has exactly this name, the case of letters is ignored, unless that is
    /// ambiguous.
    pub(crate) fn meant(&self, name: &str) -> Vec<i128> {
        let of = |is: &dyn Fn(&str) -> bool| -> Vec<&(i128, String)> {
            self.names.iter().filter(|(_, known)| is(known)).collect()
        };
        let mut meant = of(&|known| known == name);
        if meant.is_empty() {
            meant = of(&|known| known.eq_ignore_ascii_case(name));
            let one = meant.first().map(|(_, known)| known);
            if meant.iter().any(|(_, known)| Some(known) != one) {
                meant.clear();
            }
        }
        meant.into_iter().map(|(value, _)| *value).collect()
    }

    /// All names, one for each number, if there are few enough to choose from.
    fn few(&self) -> Vec<String> {
        const FEW: usize = 25;
        let mut few = Vec::<&(i128, String)>::new();
        for name in &self.names {
            if few.iter().all(|(value, _)| *value != name.0) {
                few.push(name);
            }
        }
        if few.len() > FEW { Vec::new() } else { few.into_iter().map(|(_, name)| name.clone()).collect() }
    }

    /// Converts a text to a number, or to all numbers that have it as their name.
    pub(crate) fn numbers(&self, text: &[u8], literal: &Expr) -> Result<Vec<i128>, Error> {
        let text = String::from_utf8_lossy(text);
        let meant = self.meant(&text);
        if !meant.is_empty() {
            return Ok(meant);
        }
        if let Some(value) = self.show.parse(&text) {
            return Ok(vec![value]);
        }
        let reason = match (self.show, self.names.is_empty()) {
            (Show::Plain | Show::Hex | Show::Octal, true) => {
                return Err(Error::kind(literal, Kind::Text, "a number"));
            }
            (show, _) => {
                let needs = if self.names.is_empty() { show.needs() } else { "one of its names" };
                let mut near = kwalk_btf::near(&text, self.names.iter().map(|(_, name)| name.as_str()));
                if near.is_empty() {
                    near = self.few();
                }
                Reason::Literal { text: text.into(), needs, near }
            }
        };
        Err(Error::new(reason, literal.span.clone()))
    }
}
