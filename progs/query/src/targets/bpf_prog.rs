//! BPF programs.

use crate::columns::{Show::{BootTime, Bytes, Nanoseconds, Plain}, columns};
use crate::expr::{case, field};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        id, default, Plain, "aux.id", "id of the program";
        type, default, Plain, "type", "type of the program";
        name, default, Plain, { field("aux").prog_name() },
            "its name; whole, if it was loaded with BTF, else at most 15 bytes";
        // 0 is also the value of an attach type, which the kernel then enforces.
        attach, more, Plain, {
            case([(
                field("expected_attach_type").ne(0).or(field("enforce_expected_attach_type").ne(0)),
                field("expected_attach_type"),
            )])
        }, "attach type that it was loaded for; NULL for types without any";
        function, default, Plain, "aux.attach_func_name", "function that it was loaded to be attached to";
        insns, default, Plain, "len" in "instructions", "length, as the verifier has rewritten it";
        jited, default, Bytes, "jited_len", "size of its machine code; 0 if it is interpreted";
        loaded, default, BootTime, "aux.load_time", "when it was loaded";
        uid, default, Plain, "aux.user.uid.val", "user id that loaded it, in the initial user namespace";
        run_count, more, Plain, ["stats.cnt.v.a.a.counter" | "stats.cnt" | "aux.stats.cnt"] in "runs",
            "runs that were counted, while kernel.bpf_stats_enabled was set" since (5, 19);
        run_time, more, Nanoseconds, ["stats.nsecs.v.a.a.counter" | "stats.nsecs" | "aux.stats.nsecs"],
            "how long these runs took, while kernel.bpf_stats_enabled was set" since (5, 19);
        verified, more, Plain, "aux.verified_insns" in "instructions",
            "instructions that the verifier looked at, on all paths" since (5, 16);
        maps, more, Plain, "aux.used_map_cnt" in "maps", "maps that it uses";
        btf, more, Plain, "aux.btf.id", "id of the BTF that it was loaded with";
        dst, more, Plain, "aux.dst_prog.aux.id",
            "id of the program that it is to be attached to, until it is";
        sleepable, more, Plain, ["sleepable" | "aux.sleepable"], "whether it may sleep";
    },
    looked_up: Some(&["bpf_prog_aux", "bpf_func_info", "btf"]),
    ..View::NONE
};
