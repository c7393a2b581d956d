//! The elements of a hash or array. What its keys and values are, the map itself tells.

use crate::columns::{Show::Plain, columns};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        map, default, Plain, "map.id", "id of the map";
        name, more, Plain, "map.name", "name of the map";
    },
    ..View::NONE
};
