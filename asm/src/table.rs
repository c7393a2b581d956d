//! The shape shared by everything that is an enum here and a number on the wire.

/// Defines an enum together with its table: one row per variant, written once, read by encoder and
/// decoder alike.
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

            pub(crate) const fn row(self) -> $row {
                match self {
                    $( Self::$variant => $value, )*
                }
            }

            pub(crate) fn find(wanted: impl Fn($row) -> bool) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| wanted(value.row()))
            }
        }
    };
}

pub(crate) use table;
