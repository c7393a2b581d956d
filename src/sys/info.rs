//! `BPF_OBJ_GET_INFO_BY_FD`: the kernel's description of an object.
//!
//! Newer kernels have more fields. Those below that a kernel does not know stay 0.

use std::ffi::c_int;
use std::os::fd::{AsFd, BorrowedFd};

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::command::{raw, slice_mut, text, wire};
use super::{BtfFd, CgroupOrder, Command, LinkFd, MapFlags, MapType, ObjName, ProgFd, ProgType, Result, bpf};

/// A program, as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgInfo {
    /// Its type.
    pub prog_type: ProgType,
    /// Its id.
    pub id: u32,
    /// A truncated hash of its instructions.
    pub tag: [u8; 8],
    /// Its name.
    pub name: ObjName,
    /// The size of its instructions as the kernel runs them (or compiles them), in bytes.
    pub xlated_prog_len: u32,
    /// The size of its machine code, in bytes; 0 if not compiled.
    pub jited_prog_len: u32,
    /// When it was loaded, in nanoseconds since boot.
    pub load_time: u64,
    /// The user id of the process that loaded it.
    pub created_by_uid: u32,
    /// The number of maps it uses.
    pub nr_map_ids: u32,
    /// Its BTF; 0 for none.
    pub btf_id: u32,
    /// The number of instructions that the verifier processed, since 5.16.
    pub verified_insns: u32,
    /// The BTF object with the type that it attaches to, since 6.0; 0 for none.
    pub attach_btf_obj_id: u32,
    /// The id of this type, since 6.0; 0 for none.
    pub attach_btf_id: u32,
}

/// A map, as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapInfo {
    /// Its type.
    pub map_type: MapType,
    /// Its id.
    pub id: u32,
    /// The size of a key, in bytes.
    pub key_size: u32,
    /// The size of a value, in bytes.
    pub value_size: u32,
    /// The maximal number of elements.
    pub max_entries: u32,
    /// Its flags.
    pub flags: MapFlags,
    /// Its name.
    pub name: ObjName,
    /// Its BTF; 0 for none.
    pub btf_id: u32,
    /// The id of the key type in that BTF.
    pub btf_key_type_id: u32,
    /// The id of the value type in that BTF.
    pub btf_value_type_id: u32,
}

/// A value of `enum bpf_link_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// A tracing program at a kernel function.
    pub const TRACING: LinkType = LinkType(2);
    /// An iterator.
    pub const ITER: LinkType = LinkType(4);
}

/// A link, as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Its type.
    pub link_type: LinkType,
    /// Its id.
    pub id: u32,
    /// Its program's id.
    pub prog_id: u32,
    /// The target and parameters, if the link is an iterator's.
    pub iter: Option<IterInfo>,
}

/// The target and parameters of an iterator's link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IterInfo {
    /// The target: `task`, `bpf_map`, …
    pub target: String,
    map_id: u32,
    words: [u32; 4],
}

impl IterInfo {
    /// The map whose elements are walked, for the targets `bpf_map_elem`, `sockmap` and `bpf_sk_storage_map`.
    pub fn map_id(&self) -> Option<u32> {
        (self.map_id != 0).then_some(self.map_id)
    }

    /// The thread and the process, for the targets `task`, `task_file` and `task_vma`; 0 where not restricted. Since
    /// 6.1.
    pub fn task(&self) -> Option<(u32, u32)> {
        let [tid, pid, ..] = self.words;
        self.target.starts_with("task").then_some((tid, pid))
    }

    /// The cgroup's id and the order, for the target `cgroup`.
    pub fn cgroup(&self) -> Option<(u64, CgroupOrder)> {
        let [first, second, order, _] = self.words;
        (self.target == "cgroup").then(|| (zerocopy::transmute!([first, second]), CgroupOrder(order)))
    }
}

/// BTF, as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BtfInfo {
    /// Its id.
    pub id: u32,
    /// The size of its data, in bytes.
    pub size: u32,
    /// Whether it is the kernel's or a module's, since 5.11.
    pub kernel: bool,
    /// `vmlinux` or the module's name, since 5.11; empty for a program's.
    pub name: String,
}

impl ProgFd {
    /// The kernel's description of the program.
    pub fn info(&self) -> Result<ProgInfo> {
        let wire = prog(self.as_fd(), &mut [], &mut [])?;
        Ok(ProgInfo {
            prog_type: ProgType(wire.prog_type),
            id: wire.id,
            tag: wire.tag,
            name: ObjName(wire.name),
            xlated_prog_len: wire.xlated_prog_len,
            jited_prog_len: wire.jited_prog_len,
            load_time: wire.load_time,
            created_by_uid: wire.created_by_uid,
            nr_map_ids: wire.nr_map_ids,
            btf_id: wire.btf_id,
            verified_insns: wire.verified_insns,
            attach_btf_obj_id: wire.attach_btf_obj_id,
            attach_btf_id: wire.attach_btf_id,
        })
    }

    /// Its instructions as the kernel runs them: rewritten by the verifier. Empty without `CAP_BPF`, and for a program
    /// with blinded constants (`net.core.bpf_jit_harden`) where this user may not see them.
    pub fn xlated(&self) -> Result<Vec<u8>> {
        let mut insns = vec![0; self.info()?.xlated_prog_len as usize];
        let wire = prog(self.as_fd(), &mut insns, &mut [])?;
        insns.truncate(if wire.xlated_prog_insns == 0 { 0 } else { wire.xlated_prog_len as usize });
        Ok(insns)
    }

    /// The ids of the maps it uses.
    pub fn map_ids(&self) -> Result<Vec<u32>> {
        let mut ids = vec![0; self.info()?.nr_map_ids as usize];
        let len = prog(self.as_fd(), &mut [], &mut ids)?.nr_map_ids as usize;
        ids.truncate(len);
        Ok(ids)
    }
}

impl LinkFd {
    /// The kernel's description of the link.
    pub fn info(&self) -> Result<LinkInfo> {
        // SAFETY: no address is set.
        let wire = unsafe { get(self.as_fd(), LinkWire::new_zeroed()) }?;
        // Links of other types have other fields where an iterator's has the name's address, and other lengths too.
        let iter = LinkType(wire.link_type) == LinkType::ITER;
        let iter = iter.then(|| {
            let mut name = vec![0; wire.target_name_len as usize];
            let mut wire = LinkWire::new_zeroed();
            (wire.target_name, wire.target_name_len) = slice_mut(NAME, &mut name)?;
            // SAFETY: this is the link of an iterator, and stays one; `slice_mut` gives the length of `name`.
            let wire = unsafe { get(self.as_fd(), wire) }?;
            Ok(IterInfo { target: text(&name), map_id: wire.map_id, words: wire.words })
        });
        let (link_type, id, prog_id) = (LinkType(wire.link_type), wire.id, wire.prog_id);
        Ok(LinkInfo { link_type, id, prog_id, iter: iter.transpose()? })
    }
}

impl BtfFd {
    /// The kernel's description of the BTF object.
    pub fn info(&self) -> Result<BtfInfo> {
        btf(self.as_fd(), &mut [])
    }

    /// The BTF that was loaded, or the kernel's or module's own.
    pub fn data(&self) -> Result<Vec<u8>> {
        let mut data = vec![0; self.info()?.size as usize];
        btf(self.as_fd(), &mut data)?;
        Ok(data)
    }
}

wire! {
    /// `struct bpf_prog_info`.
    ProgWire: 232 {
        0 prog_type: u32, 4 id: u32, 8 tag: [u8; 8],
        16 jited_prog_len: u32, 20 xlated_prog_len: u32, 24 jited_prog_insns: u64, 32 xlated_prog_insns: u64,
        40 load_time: u64, 48 created_by_uid: u32, 52 nr_map_ids: u32, 56 map_ids: u64, 64 name: [u8; 16],
        80 _ifindex_to_func_lens: [u64; 6], 128 btf_id: u32, 132 _func_info_to_run_cnt: [u32; 21],
        216 verified_insns: u32, 220 attach_btf_obj_id: u32, 224 attach_btf_id: u32, 228 _pad: u32,
    }
}

wire! {
    /// `struct bpf_map_info`.
    MapWire: 80 {
        0 map_type: u32, 4 id: u32, 8 key_size: u32, 12 value_size: u32, 16 max_entries: u32, 20 map_flags: u32,
        24 name: [u8; 16], 40 _ifindex_to_netns: [u64; 3],
        64 btf_id: u32, 68 btf_key_type_id: u32, 72 btf_value_type_id: u32, 76 _pad: u32,
    }
}

wire! {
    /// `struct bpf_link_info` with its member for iterators.
    LinkWire: 48 {
        0 link_type: u32, 4 id: u32, 8 prog_id: u32, 12 _pad: u32,
        16 target_name: u64, 24 target_name_len: u32, 28 map_id: u32, 32 words: [u32; 4],
    }
}

wire! {
    /// `struct bpf_btf_info`.
    BtfWire: 32 {
        0 btf: u64, 8 btf_size: u32, 12 id: u32, 16 name: u64, 24 name_len: u32, 28 kernel_btf: u32,
    }
}

/// A program's info. The kernel fills the slices as far as they go.
fn prog(fd: BorrowedFd<'_>, xlated: &mut [u8], map_ids: &mut [u32]) -> Result<ProgWire> {
    let mut wire = ProgWire::new_zeroed();
    (wire.xlated_prog_insns, wire.xlated_prog_len) = slice_mut(NAME, xlated)?;
    (wire.map_ids, wire.nr_map_ids) = slice_mut(NAME, map_ids)?;
    // SAFETY: `fd` is a program's; `slice_mut` gives the slices' own lengths.
    unsafe { get(fd, wire) }
}

pub(super) fn map(fd: BorrowedFd<'_>) -> Result<MapInfo> {
    // SAFETY: no address is set.
    let wire = unsafe { get(fd, MapWire::new_zeroed()) }?;
    Ok(MapInfo {
        map_type: MapType(wire.map_type),
        id: wire.id,
        key_size: wire.key_size,
        value_size: wire.value_size,
        max_entries: wire.max_entries,
        flags: MapFlags::from_bits_retain(wire.map_flags),
        name: ObjName(wire.name),
        btf_id: wire.btf_id,
        btf_key_type_id: wire.btf_key_type_id,
        btf_value_type_id: wire.btf_value_type_id,
    })
}

/// The info of a BTF object, with a buffer for the name only if the kernel has one. The kernel fills `data` as far as
/// it goes.
fn btf(fd: BorrowedFd<'_>, data: &mut [u8]) -> Result<BtfInfo> {
    // SAFETY: no address is set.
    let wire = unsafe { get(fd, BtfWire::new_zeroed()) }?;
    let mut name = vec![0; if wire.name_len == 0 { 0 } else { wire.name_len as usize + 1 }];
    let mut wire = BtfWire::new_zeroed();
    (wire.btf, wire.btf_size) = slice_mut(NAME, data)?;
    (wire.name, wire.name_len) = slice_mut(NAME, &mut name)?;
    // SAFETY: `fd` is BTF's; `slice_mut` gives the lengths of `data` and `name`.
    let wire = unsafe { get(fd, wire) }?;
    Ok(BtfInfo { id: wire.id, size: wire.btf_size, kernel: wire.kernel_btf != 0, name: text(&name) })
}

/// The info of an object.
///
/// # Safety
///
/// Each address in `wire` is 0, or that of memory that the caller has borrowed exclusively and that is as long as the
/// lengths in `wire`, read in the layout that the kernel has for the type of `fd`.
unsafe fn get<W: FromBytes + IntoBytes + Immutable + KnownLayout>(fd: BorrowedFd<'_>, wire: W) -> Result<W> {
    bpf(ObjGetInfoByFd { fd, wire })
}

const NAME: &str = "BPF_OBJ_GET_INFO_BY_FD";

/// Only [`get`] makes one.
struct ObjGetInfoByFd<'a, W> {
    fd: BorrowedFd<'a>,
    wire: W,
}

wire! { InfoAttr: 16 { 0 bpf_fd: u32, 4 info_len: u32, 8 info: u64 } }

// SAFETY: the kernel reads and writes `info_len` bytes of the wire struct, which is our own and takes any bytes; for
// the addresses in it the caller of `get` vouches.
unsafe impl<W: FromBytes + IntoBytes + Immutable + KnownLayout> Command for ObjGetInfoByFd<'_, W> {
    const CMD: c_int = 15;
    const NAME: &'static str = NAME;
    type Attr = InfoAttr;
    type Returned = ();
    type Output = W;

    fn attr(&mut self) -> Result<InfoAttr> {
        let (info, info_len) = slice_mut(NAME, self.wire.as_mut_bytes())?;
        Ok(InfoAttr { bpf_fd: raw(&self.fd), info_len, info })
    }

    fn output(self, (): (), _: &InfoAttr) -> Result<W> {
        Ok(self.wire)
    }
}
