//! The sockets that have a value in a map of socket storage.

use crate::targets::sockmap;
use crate::view::View;

// Both walks give a map and a socket, by the same names.
pub(crate) const VIEW: View = sockmap::VIEW;
