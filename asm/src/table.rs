//! The shape shared by everything that is an enum here and a number on the wire.

/// Defines an enum together with its table: one row per variant, written once, read by encoder,
/// decoder, printer and parser alike.
macro_rules! table {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $row:ty {
            $( $(#[$doc:meta])* $variant:ident = $value:expr, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name {
            $( $(#[$doc])* $variant, )*
        }

        impl $name {
            /// Every value, in the order of the table that defines them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            const ROWS: [$row; Self::ALL.len()] = [ $( $value, )* ];

            #[inline]
            pub(crate) const fn row(self) -> $row {
                Self::ROWS[self as usize]
            }

            #[allow(dead_code, reason = "not every table is searched")]
            pub(crate) fn find(wanted: impl Fn($row) -> bool) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| wanted(value.row()))
            }
        }
    };
}

pub(crate) use table;
