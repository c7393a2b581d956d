//! Control groups: a cgroup, its descendants or its ancestors.

use crate::columns::{Show::Plain, columns};
use crate::expr::{Expr, case, field};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        id, default, Plain, "cgroup.kn.id", "id; on 64-bit kernels the inode number of its directory";
        path, default, Plain, { field("cgroup").cgroup_path() }, "path in its hierarchy";
        level, default, Plain, "cgroup.level" in "levels", "depth below the root";
        populated, default, Plain, {
            populated("cgroup.nr_populated_csets");
            populated("cgroup.self.nr_populated_csets")
        }, "1 if it or a descendant has tasks, as in cgroup.events";
        descendants, default, Plain, "cgroup.nr_descendants" in "cgroups", "cgroups below it";
        dying, more, Plain, "cgroup.nr_dying_descendants" in "cgroups",
            "cgroups below it that are removed, but still in use";
        // CGRP_FROZEN
        frozen, more, Plain, { (field("cgroup.flags") >> 3) & 1 }, "1 if it and all below it are frozen";
    },
    looked_up: Some(&["kernfs_node", "cgroup"]),
    ..View::NONE
};

/// Whether a cgroup has task sets, or children that have some: 1 or 0, as in cgroup.events.
fn populated(own: &str) -> Expr {
    let all = field(own)
        + field("cgroup.nr_populated_domain_children")
        + field("cgroup.nr_populated_threaded_children");
    case([(all.ne(0), 1)]).or_else(0)
}
