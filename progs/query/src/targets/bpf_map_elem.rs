//! The elements of a hash or array. The types of its keys and values come from the map itself.

use crate::columns::{Show::Plain, columns};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        map, default, Plain, "map.id", "id of the map";
        name, more, Plain, "map.name", "name of the map";
    },
    ..View::NONE
};
