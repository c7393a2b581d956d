//! DMA buffers.

use crate::columns::{Show::{Bytes, Plain}, columns};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        inode, default, Plain, "dmabuf.file.f_inode.i_ino", "inode number of the buffer";
        size, default, Bytes, "dmabuf.size", "size of the buffer";
        exporter, default, Plain, "dmabuf.exp_name", "name of who exported it, such as a driver";
        name, default, Plain, "dmabuf.name", "name that user space gave it (DMA_BUF_SET_NAME)";
    },
    ..View::NONE
};
