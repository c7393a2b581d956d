//! Commands on links: attach an iterator program with its parameters, replace it, start a walk.

use std::os::fd::BorrowedFd;

use zerocopy::FromZeros;

use super::command::{address, command, raw, wire};
use super::{AttachType, Command, Error, IterFd, LinkFd, MapFd, ProgFd, Result};

/// The order of a cgroup walk: a value of `enum bpf_cgroup_iter_order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CgroupOrder(pub u32);

impl CgroupOrder {
    /// The cgroup itself.
    pub const SELF_ONLY: CgroupOrder = CgroupOrder(1);
    /// It and all below it, each before its children.
    pub const DESCENDANTS_PRE: CgroupOrder = CgroupOrder(2);
    /// It and all below it, each after its children.
    pub const DESCENDANTS_POST: CgroupOrder = CgroupOrder(3);
    /// It and all above it.
    pub const ANCESTORS_UP: CgroupOrder = CgroupOrder(4);
    /// Its children, without itself; since 7.0.
    pub const CHILDREN: CgroupOrder = CgroupOrder(5);
}

/// The cgroup that the order of a walk refers to.
#[derive(Clone, Copy, Debug)]
pub enum CgroupStart<'a> {
    /// The root of the cgroup v2 hierarchy.
    Root,
    /// An open cgroup directory.
    Fd(BorrowedFd<'a>),
    /// A cgroup v2 id: the inode number of its directory.
    Id(u64),
}

/// The parameters of an iterator's link: `union bpf_iter_link_info`.
#[derive(Clone, Copy, Debug, Default)]
pub enum IterLinkInfo<'a> {
    /// No parameter: all objects of the target.
    #[default]
    None,
    /// The elements of this map.
    Map(&'a MapFd),
    /// Cgroups, since 6.1. The kernel has no default order.
    Cgroup {
        /// Which cgroups relative to the start, and in which order.
        order: CgroupOrder,
        /// The start.
        start: CgroupStart<'a>,
    },
    /// One thread, by its tid in the pid namespace of the process that starts the walk. Since 6.1; older kernels ignore
    /// it.
    Tid(u32),
    /// The threads of one process, by its pid in the pid namespace of the process that starts the walk. Since 6.1.
    Pid(u32),
    /// The threads of one process, by a pidfd. Since 6.1.
    PidFd(BorrowedFd<'a>),
}

impl IterLinkInfo<'_> {
    /// The union and the number of words in use: no more than needed, for kernels with a shorter union.
    fn words(self) -> Result<([u32; 4], usize)> {
        // In the union 0 means "not given": the link would walk all objects.
        let given = |number: u32| match number {
            0 => Err(Error::misuse(LinkCreate::NAME, "0 can't be a link's parameter".into())),
            _ => Ok(number),
        };
        let number = |fd: BorrowedFd<'_>| given(raw(&fd));
        Ok(match self {
            IterLinkInfo::None => ([0; 4], 0),
            IterLinkInfo::Map(map) => ([raw(map), 0, 0, 0], 1),
            IterLinkInfo::Cgroup { order, start: CgroupStart::Root } => ([order.0, 0, 0, 0], 1),
            IterLinkInfo::Cgroup { order, start: CgroupStart::Fd(fd) } => ([order.0, number(fd)?, 0, 0], 2),
            IterLinkInfo::Cgroup { order, start: CgroupStart::Id(id) } => {
                let [first, second] = zerocopy::transmute!(id);
                ([order.0, 0, first, second], 4)
            }
            IterLinkInfo::Tid(tid) => ([given(tid)?, 0, 0, 0], 1),
            IterLinkInfo::Pid(pid) => ([0, given(pid)?, 0, 0], 2),
            IterLinkInfo::PidFd(fd) => ([0, 0, number(fd)?, 0], 3),
        })
    }
}

/// `BPF_LINK_CREATE` (since 5.7, iterators since 5.8): attaches a program. Gives a [`LinkFd`].
///
/// # Errors
///
/// `EBADF`: the target walks the elements of a map, and needs one; `EINVAL`: a parameter the target does not know, a
/// cgroup walk without an order, a program that is no iterator, a sleepable program where the target does not allow
/// it; `E2BIG`: a parameter this kernel does not know; `ENOENT`: the kernel does not have the program's target.
#[derive(Debug)]
pub struct LinkCreate<'a> {
    prog: &'a ProgFd,
    info: IterLinkInfo<'a>,
    words: [u32; 4],
}

impl<'a> LinkCreate<'a> {
    /// Attaches an iterator program.
    pub fn iter(prog: &'a ProgFd, info: IterLinkInfo<'a>) -> LinkCreate<'a> {
        LinkCreate { prog, info, words: [0; 4] }
    }
}

wire! {
    pub LinkCreateAttr: 32 {
        0 prog_fd: u32, 4 target_fd: u32, 8 attach_type: u32, 12 flags: u32,
        16 iter_info: u64, 24 iter_info_len: u32, 28 _pad: u32,
    }
}

// SAFETY: the kernel reads `iter_info_len` bytes of the words.
unsafe impl Command for LinkCreate<'_> {
    command!(28 "BPF_LINK_CREATE", LinkCreateAttr => LinkFd, since (5, 7));

    fn attr(&mut self) -> Result<LinkCreateAttr> {
        let (words, len) = self.info.words()?;
        self.words = words;
        let info = &self.words[..len];
        Ok(LinkCreateAttr {
            prog_fd: raw(self.prog),
            attach_type: AttachType::TRACE_ITER.0,
            iter_info: address(info),
            iter_info_len: size_of_val(info) as u32,
            ..LinkCreateAttr::new_zeroed()
        })
    }
}

/// `BPF_LINK_UPDATE` (since 5.7): replaces the program of a link, pinned or not. Walks in progress keep the old
/// program.
///
/// # Errors
///
/// `EINVAL`: the programs are not for the same target; `EPERM`: the link's program is not `old`.
#[derive(Debug)]
pub struct LinkUpdate<'a> {
    /// The link.
    pub link: &'a LinkFd,
    /// Its program from now on.
    pub new: &'a ProgFd,
    /// If given, the link is updated only if its program is this one.
    pub old: Option<&'a ProgFd>,
}

wire! { pub LinkUpdateAttr: 16 { 0 link_fd: u32, 4 new_prog_fd: u32, 8 flags: u32, 12 old_prog_fd: u32 } }

// SAFETY: no address is involved.
unsafe impl Command for LinkUpdate<'_> {
    command!(29 "BPF_LINK_UPDATE", LinkUpdateAttr => (), since (5, 7));

    fn attr(&mut self) -> Result<LinkUpdateAttr> {
        const REPLACE: u32 = 1 << 2;
        let (flags, old_prog_fd) = self.old.map_or((0, 0), |old| (REPLACE, raw(old)));
        Ok(LinkUpdateAttr { link_fd: raw(self.link), new_prog_fd: raw(self.new), flags, old_prog_fd })
    }
}

/// `BPF_ITER_CREATE` (since 5.8): starts a walk. Gives an [`IterFd`], in the network namespace of the caller.
///
/// # Errors
///
/// `EINVAL`: not an iterator's link; `ENOMEM`.
#[derive(Debug)]
pub struct IterCreate<'a> {
    /// The link of an iterator.
    pub link: &'a LinkFd,
}

wire! { pub IterCreateAttr: 8 { 0 link_fd: u32, 4 flags: u32 } }

// SAFETY: no address is involved.
unsafe impl Command for IterCreate<'_> {
    command!(33 "BPF_ITER_CREATE", IterCreateAttr => IterFd, since (5, 8));

    fn attr(&mut self) -> Result<IterCreateAttr> {
        Ok(IterCreateAttr { link_fd: raw(self.link), flags: 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use zerocopy::IntoBytes;

    use super::*;

    fn bytes(info: IterLinkInfo<'_>) -> Vec<u8> {
        let (words, len) = info.words().unwrap();
        words[..len].as_bytes().to_vec()
    }

    #[test]
    fn parameters_are_no_longer_than_needed() {
        let order = CgroupOrder::SELF_ONLY;
        assert!(bytes(IterLinkInfo::None).is_empty());
        assert_eq!(bytes(IterLinkInfo::Tid(7)), 7u32.to_ne_bytes());
        assert_eq!(bytes(IterLinkInfo::Pid(7)), [0u32, 7].as_bytes());
        assert_eq!(bytes(IterLinkInfo::Cgroup { order, start: CgroupStart::Root }), 1u32.to_ne_bytes());
    }

    #[test]
    fn a_cgroup_id_lies_in_the_union_as_a_64_bit_number() {
        let (order, id) = (CgroupOrder::ANCESTORS_UP, 0x0102_0304_0506_0708);
        let bytes = bytes(IterLinkInfo::Cgroup { order, start: CgroupStart::Id(id) });
        assert_eq!(bytes[..8], *[4u32, 0].as_bytes());
        assert_eq!(bytes[8..], id.to_ne_bytes());
    }

    #[test]
    fn descriptor_0_is_refused_because_it_would_mean_none() {
        let stdin = std::io::stdin();
        let (fd, order) = (stdin.as_fd(), CgroupOrder::SELF_ONLY);
        assert!(IterLinkInfo::PidFd(fd).words().is_err());
        assert!(IterLinkInfo::Cgroup { order, start: CgroupStart::Fd(fd) }.words().is_err());
        let stderr = std::io::stderr();
        assert_eq!(bytes(IterLinkInfo::PidFd(stderr.as_fd())), [0u32, 0, 2].as_bytes());
    }
}
