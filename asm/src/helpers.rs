//! The table of helper functions: `___BPF_FUNC_MAPPER` in `include/uapi/linux/bpf.h` of the kernel.

use crate::table::table;

// The list is closed: kernels since 6.2 have added functions of the kernel (kfuncs) only. The names
// of arguments and the types of results are those of the header's prototypes; versions are those of
// the commits' first releases.
table! {
    /// A helper function of the kernel: `(arguments) -> result`. Its row: number, the kernel's name,
    /// since which kernel.
    ///
    /// That a kernel has a helper doesn't mean that it lets every type of program call it.
    pub enum Helper: (u32, &'static str, (u16, u16)) {
        /// `(map, key) -> value or NULL`
        MapLookupElem = (1, "bpf_map_lookup_elem", (3, 19)),
        /// `(map, key, value, flags) -> 0 or -errno`
        MapUpdateElem = (2, "bpf_map_update_elem", (3, 19)),
        /// `(map, key) -> long`
        MapDeleteElem = (3, "bpf_map_delete_elem", (3, 19)),
        /// `(dst, size, unsafe_ptr) -> long`
        ProbeRead = (4, "bpf_probe_read", (4, 1)),
        /// `() -> u64`
        KtimeGetNs = (5, "bpf_ktime_get_ns", (4, 1)),
        /// `(fmt, fmt_size, ...) -> long`
        TracePrintk = (6, "bpf_trace_printk", (4, 1)),
        /// `() -> u32`
        GetPrandomU32 = (7, "bpf_get_prandom_u32", (4, 1)),
        /// `() -> u32`
        GetSmpProcessorId = (8, "bpf_get_smp_processor_id", (4, 1)),
        /// `(skb, offset, from, len, flags) -> long`
        SkbStoreBytes = (9, "bpf_skb_store_bytes", (4, 1)),
        /// `(skb, offset, from, to, size) -> long`
        L3CsumReplace = (10, "bpf_l3_csum_replace", (4, 1)),
        /// `(skb, offset, from, to, flags) -> long`
        L4CsumReplace = (11, "bpf_l4_csum_replace", (4, 1)),
        /// `(ctx, prog_array_map, index) -> long`
        TailCall = (12, "bpf_tail_call", (4, 2)),
        /// `(skb, ifindex, flags) -> long`
        CloneRedirect = (13, "bpf_clone_redirect", (4, 2)),
        /// `() -> u64`
        GetCurrentPidTgid = (14, "bpf_get_current_pid_tgid", (4, 2)),
        /// `() -> u64`
        GetCurrentUidGid = (15, "bpf_get_current_uid_gid", (4, 2)),
        /// `(buf, size_of_buf) -> long`
        GetCurrentComm = (16, "bpf_get_current_comm", (4, 2)),
        /// `(skb) -> u32`
        GetCgroupClassid = (17, "bpf_get_cgroup_classid", (4, 3)),
        /// `(skb, vlan_proto, vlan_tci) -> long`
        SkbVlanPush = (18, "bpf_skb_vlan_push", (4, 3)),
        /// `(skb) -> long`
        SkbVlanPop = (19, "bpf_skb_vlan_pop", (4, 3)),
        /// `(skb, key, size, flags) -> long`
        SkbGetTunnelKey = (20, "bpf_skb_get_tunnel_key", (4, 3)),
        /// `(skb, key, size, flags) -> long`
        SkbSetTunnelKey = (21, "bpf_skb_set_tunnel_key", (4, 3)),
        /// `(map, flags) -> u64`
        PerfEventRead = (22, "bpf_perf_event_read", (4, 3)),
        /// `(ifindex, flags) -> long`
        Redirect = (23, "bpf_redirect", (4, 4)),
        /// `(skb) -> u32`
        GetRouteRealm = (24, "bpf_get_route_realm", (4, 4)),
        /// `(ctx, map, flags, data, size) -> long`
        PerfEventOutput = (25, "bpf_perf_event_output", (4, 4)),
        /// `(skb, offset, to, len) -> long`
        SkbLoadBytes = (26, "bpf_skb_load_bytes", (4, 5)),
        /// `(ctx, map, flags) -> long`
        GetStackid = (27, "bpf_get_stackid", (4, 6)),
        /// `(from, from_size, to, to_size, seed) -> s64`
        CsumDiff = (28, "bpf_csum_diff", (4, 6)),
        /// `(skb, opt, size) -> long`
        SkbGetTunnelOpt = (29, "bpf_skb_get_tunnel_opt", (4, 6)),
        /// `(skb, opt, size) -> long`
        SkbSetTunnelOpt = (30, "bpf_skb_set_tunnel_opt", (4, 6)),
        /// `(skb, proto, flags) -> long`
        SkbChangeProto = (31, "bpf_skb_change_proto", (4, 8)),
        /// `(skb, type) -> long`
        SkbChangeType = (32, "bpf_skb_change_type", (4, 8)),
        /// `(skb, map, index) -> long`
        SkbUnderCgroup = (33, "bpf_skb_under_cgroup", (4, 8)),
        /// `(skb) -> u32`
        GetHashRecalc = (34, "bpf_get_hash_recalc", (4, 8)),
        /// `() -> u64`
        GetCurrentTask = (35, "bpf_get_current_task", (4, 8)),
        /// `(dst, src, len) -> long`
        ProbeWriteUser = (36, "bpf_probe_write_user", (4, 8)),
        /// `(map, index) -> long`
        CurrentTaskUnderCgroup = (37, "bpf_current_task_under_cgroup", (4, 9)),
        /// `(skb, len, flags) -> long`
        SkbChangeTail = (38, "bpf_skb_change_tail", (4, 9)),
        /// `(skb, len) -> long`
        SkbPullData = (39, "bpf_skb_pull_data", (4, 9)),
        /// `(skb, csum) -> s64`
        CsumUpdate = (40, "bpf_csum_update", (4, 9)),
        /// `(skb)`
        SetHashInvalid = (41, "bpf_set_hash_invalid", (4, 9)),
        /// `() -> long`
        GetNumaNodeId = (42, "bpf_get_numa_node_id", (4, 10)),
        /// `(skb, len, flags) -> long`
        SkbChangeHead = (43, "bpf_skb_change_head", (4, 10)),
        /// `(xdp_md, delta) -> long`
        XdpAdjustHead = (44, "bpf_xdp_adjust_head", (4, 10)),
        /// `(dst, size, unsafe_ptr) -> long`
        ProbeReadStr = (45, "bpf_probe_read_str", (4, 11)),
        /// `(sk) -> u64`
        GetSocketCookie = (46, "bpf_get_socket_cookie", (4, 12)),
        /// `(skb) -> u32`
        GetSocketUid = (47, "bpf_get_socket_uid", (4, 12)),
        /// `(skb, hash) -> long`
        SetHash = (48, "bpf_set_hash", (4, 13)),
        /// `(bpf_socket, level, optname, optval, optlen) -> long`
        Setsockopt = (49, "bpf_setsockopt", (4, 13)),
        /// `(skb, len_diff, mode, flags) -> long`
        SkbAdjustRoom = (50, "bpf_skb_adjust_room", (4, 13)),
        /// `(map, key, flags) -> long`
        RedirectMap = (51, "bpf_redirect_map", (4, 14)),
        /// `(skb, map, key, flags) -> long`
        SkRedirectMap = (52, "bpf_sk_redirect_map", (4, 14)),
        /// `(skops, map, key, flags) -> long`
        SockMapUpdate = (53, "bpf_sock_map_update", (4, 14)),
        /// `(xdp_md, delta) -> long`
        XdpAdjustMeta = (54, "bpf_xdp_adjust_meta", (4, 15)),
        /// `(map, flags, buf, buf_size) -> long`
        PerfEventReadValue = (55, "bpf_perf_event_read_value", (4, 15)),
        /// `(ctx, buf, buf_size) -> long`
        PerfProgReadValue = (56, "bpf_perf_prog_read_value", (4, 15)),
        /// `(bpf_socket, level, optname, optval, optlen) -> long`
        Getsockopt = (57, "bpf_getsockopt", (4, 15)),
        /// `(regs, rc) -> long`
        OverrideReturn = (58, "bpf_override_return", (4, 16)),
        /// `(bpf_sock, argval) -> long`
        SockOpsCbFlagsSet = (59, "bpf_sock_ops_cb_flags_set", (4, 16)),
        /// `(msg, map, key, flags) -> long`
        MsgRedirectMap = (60, "bpf_msg_redirect_map", (4, 17)),
        /// `(msg, bytes) -> long`
        MsgApplyBytes = (61, "bpf_msg_apply_bytes", (4, 17)),
        /// `(msg, bytes) -> long`
        MsgCorkBytes = (62, "bpf_msg_cork_bytes", (4, 17)),
        /// `(msg, start, end, flags) -> long`
        MsgPullData = (63, "bpf_msg_pull_data", (4, 17)),
        /// `(ctx, addr, addr_len) -> long`
        Bind = (64, "bpf_bind", (4, 17)),
        /// `(xdp_md, delta) -> long`
        XdpAdjustTail = (65, "bpf_xdp_adjust_tail", (4, 18)),
        /// `(skb, index, xfrm_state, size, flags) -> long`
        SkbGetXfrmState = (66, "bpf_skb_get_xfrm_state", (4, 18)),
        /// `(ctx, buf, size, flags) -> long`
        GetStack = (67, "bpf_get_stack", (4, 18)),
        /// `(skb, offset, to, len, start_header) -> long`
        SkbLoadBytesRelative = (68, "bpf_skb_load_bytes_relative", (4, 18)),
        /// `(ctx, params, plen, flags) -> long`
        FibLookup = (69, "bpf_fib_lookup", (4, 18)),
        /// `(skops, map, key, flags) -> long`
        SockHashUpdate = (70, "bpf_sock_hash_update", (4, 18)),
        /// `(msg, map, key, flags) -> long`
        MsgRedirectHash = (71, "bpf_msg_redirect_hash", (4, 18)),
        /// `(skb, map, key, flags) -> long`
        SkRedirectHash = (72, "bpf_sk_redirect_hash", (4, 18)),
        /// `(skb, type, hdr, len) -> long`
        LwtPushEncap = (73, "bpf_lwt_push_encap", (4, 18)),
        /// `(skb, offset, from, len) -> long`
        LwtSeg6StoreBytes = (74, "bpf_lwt_seg6_store_bytes", (4, 18)),
        /// `(skb, offset, delta) -> long`
        LwtSeg6AdjustSrh = (75, "bpf_lwt_seg6_adjust_srh", (4, 18)),
        /// `(skb, action, param, param_len) -> long`
        LwtSeg6Action = (76, "bpf_lwt_seg6_action", (4, 18)),
        /// `(ctx) -> long`
        RcRepeat = (77, "bpf_rc_repeat", (4, 18)),
        /// `(ctx, protocol, scancode, toggle) -> long`
        RcKeydown = (78, "bpf_rc_keydown", (4, 18)),
        /// `(skb) -> u64`
        SkbCgroupId = (79, "bpf_skb_cgroup_id", (4, 18)),
        /// `() -> u64`
        GetCurrentCgroupId = (80, "bpf_get_current_cgroup_id", (4, 18)),
        /// `(map, flags) -> void *`
        GetLocalStorage = (81, "bpf_get_local_storage", (4, 19)),
        /// `(reuse, map, key, flags) -> long`
        SkSelectReuseport = (82, "bpf_sk_select_reuseport", (4, 19)),
        /// `(skb, ancestor_level) -> u64`
        SkbAncestorCgroupId = (83, "bpf_skb_ancestor_cgroup_id", (4, 19)),
        /// `(ctx, tuple, tuple_size, netns, flags) -> struct bpf_sock *`
        SkLookupTcp = (84, "bpf_sk_lookup_tcp", (4, 20)),
        /// `(ctx, tuple, tuple_size, netns, flags) -> struct bpf_sock *`
        SkLookupUdp = (85, "bpf_sk_lookup_udp", (4, 20)),
        /// `(sock) -> long`
        SkRelease = (86, "bpf_sk_release", (4, 20)),
        /// `(map, value, flags) -> long`
        MapPushElem = (87, "bpf_map_push_elem", (4, 20)),
        /// `(map, value) -> long`
        MapPopElem = (88, "bpf_map_pop_elem", (4, 20)),
        /// `(map, value) -> long`
        MapPeekElem = (89, "bpf_map_peek_elem", (4, 20)),
        /// `(msg, start, len, flags) -> long`
        MsgPushData = (90, "bpf_msg_push_data", (4, 20)),
        /// `(msg, start, len, flags) -> long`
        MsgPopData = (91, "bpf_msg_pop_data", (5, 0)),
        /// `(ctx, rel_x, rel_y) -> long`
        RcPointerRel = (92, "bpf_rc_pointer_rel", (5, 0)),
        /// `(lock) -> long`
        SpinLock = (93, "bpf_spin_lock", (5, 1)),
        /// `(lock) -> long`
        SpinUnlock = (94, "bpf_spin_unlock", (5, 1)),
        /// `(sk) -> struct bpf_sock *`
        SkFullsock = (95, "bpf_sk_fullsock", (5, 1)),
        /// `(sk) -> struct`
        TcpSock = (96, "bpf_tcp_sock", (5, 1)),
        /// `(skb) -> long`
        SkbEcnSetCe = (97, "bpf_skb_ecn_set_ce", (5, 1)),
        /// `(sk) -> struct bpf_sock *`
        GetListenerSock = (98, "bpf_get_listener_sock", (5, 1)),
        /// `(ctx, tuple, tuple_size, netns, flags) -> struct bpf_sock *`
        SkcLookupTcp = (99, "bpf_skc_lookup_tcp", (5, 2)),
        /// `(sk, iph, iph_len, th, th_len) -> long`
        TcpCheckSyncookie = (100, "bpf_tcp_check_syncookie", (5, 2)),
        /// `(ctx, buf, buf_len, flags) -> long`
        SysctlGetName = (101, "bpf_sysctl_get_name", (5, 2)),
        /// `(ctx, buf, buf_len) -> long`
        SysctlGetCurrentValue = (102, "bpf_sysctl_get_current_value", (5, 2)),
        /// `(ctx, buf, buf_len) -> long`
        SysctlGetNewValue = (103, "bpf_sysctl_get_new_value", (5, 2)),
        /// `(ctx, buf, buf_len) -> long`
        SysctlSetNewValue = (104, "bpf_sysctl_set_new_value", (5, 2)),
        /// `(buf, buf_len, flags, res) -> long`
        Strtol = (105, "bpf_strtol", (5, 2)),
        /// `(buf, buf_len, flags, res) -> long`
        Strtoul = (106, "bpf_strtoul", (5, 2)),
        /// `(map, sk, value, flags) -> void *`
        SkStorageGet = (107, "bpf_sk_storage_get", (5, 2)),
        /// `(map, sk) -> long`
        SkStorageDelete = (108, "bpf_sk_storage_delete", (5, 2)),
        /// `(sig) -> long`
        SendSignal = (109, "bpf_send_signal", (5, 3)),
        /// `(sk, iph, iph_len, th, th_len) -> s64`
        TcpGenSyncookie = (110, "bpf_tcp_gen_syncookie", (5, 4)),
        /// `(ctx, map, flags, data, size) -> long`
        SkbOutput = (111, "bpf_skb_output", (5, 5)),
        /// `(dst, size, unsafe_ptr) -> long`
        ProbeReadUser = (112, "bpf_probe_read_user", (5, 5)),
        /// `(dst, size, unsafe_ptr) -> 0 or -errno`: copies `size` bytes; on failure `dst` is
        /// zeroed.
        ProbeReadKernel = (113, "bpf_probe_read_kernel", (5, 5)),
        /// `(dst, size, unsafe_ptr) -> long`
        ProbeReadUserStr = (114, "bpf_probe_read_user_str", (5, 5)),
        /// `(dst, size, unsafe_ptr) -> bytes with the NUL or -errno`: copies a string, cut to
        /// `size` with its NUL.
        ProbeReadKernelStr = (115, "bpf_probe_read_kernel_str", (5, 5)),
        /// `(tp, rcv_nxt) -> long`
        TcpSendAck = (116, "bpf_tcp_send_ack", (5, 6)),
        /// `(sig) -> long`
        SendSignalThread = (117, "bpf_send_signal_thread", (5, 6)),
        /// `() -> u64`
        Jiffies64 = (118, "bpf_jiffies64", (5, 6)),
        /// `(ctx, buf, size, flags) -> long`
        ReadBranchRecords = (119, "bpf_read_branch_records", (5, 7)),
        /// `(dev, ino, nsdata, size) -> long`
        GetNsCurrentPidTgid = (120, "bpf_get_ns_current_pid_tgid", (5, 7)),
        /// `(ctx, map, flags, data, size) -> long`
        XdpOutput = (121, "bpf_xdp_output", (5, 7)),
        /// `(ctx) -> u64`
        GetNetnsCookie = (122, "bpf_get_netns_cookie", (5, 7)),
        /// `(ancestor_level) -> u64`
        GetCurrentAncestorCgroupId = (123, "bpf_get_current_ancestor_cgroup_id", (5, 7)),
        /// `(ctx, sk, flags) -> long`
        SkAssign = (124, "bpf_sk_assign", (5, 7)),
        /// `() -> u64`
        KtimeGetBootNs = (125, "bpf_ktime_get_boot_ns", (5, 8)),
        /// `(seq, fmt, fmt_size, data, data_len) -> 0 or -errno`: `data` is an array of u64,
        /// `data_len` its bytes.
        SeqPrintf = (126, "bpf_seq_printf", (5, 8)),
        /// `(seq, data, len) -> 0 or -errno`: `len` bytes as they are.
        SeqWrite = (127, "bpf_seq_write", (5, 8)),
        /// `(sk) -> u64`
        SkCgroupId = (128, "bpf_sk_cgroup_id", (5, 8)),
        /// `(sk, ancestor_level) -> u64`
        SkAncestorCgroupId = (129, "bpf_sk_ancestor_cgroup_id", (5, 8)),
        /// `(ringbuf, data, size, flags) -> long`
        RingbufOutput = (130, "bpf_ringbuf_output", (5, 8)),
        /// `(ringbuf, size, flags) -> void *`
        RingbufReserve = (131, "bpf_ringbuf_reserve", (5, 8)),
        /// `(data, flags)`
        RingbufSubmit = (132, "bpf_ringbuf_submit", (5, 8)),
        /// `(data, flags)`
        RingbufDiscard = (133, "bpf_ringbuf_discard", (5, 8)),
        /// `(ringbuf, flags) -> u64`
        RingbufQuery = (134, "bpf_ringbuf_query", (5, 8)),
        /// `(skb, level) -> long`
        CsumLevel = (135, "bpf_csum_level", (5, 8)),
        /// `(sk) -> struct tcp6_sock * or NULL`
        SkcToTcp6Sock = (136, "bpf_skc_to_tcp6_sock", (5, 9)),
        /// `(sk) -> struct tcp_sock * or NULL`
        SkcToTcpSock = (137, "bpf_skc_to_tcp_sock", (5, 9)),
        /// `(sk) -> struct tcp_timewait_sock * or NULL`
        SkcToTcpTimewaitSock = (138, "bpf_skc_to_tcp_timewait_sock", (5, 9)),
        /// `(sk) -> struct tcp_request_sock * or NULL`
        SkcToTcpRequestSock = (139, "bpf_skc_to_tcp_request_sock", (5, 9)),
        /// `(sk) -> struct udp6_sock * or NULL`
        SkcToUdp6Sock = (140, "bpf_skc_to_udp6_sock", (5, 9)),
        /// `(task, buf, size, flags) -> bytes or -errno`: the return addresses of a task's stack,
        /// u64 each.
        GetTaskStack = (141, "bpf_get_task_stack", (5, 9)),
        /// `(skops, searchby_res, len, flags) -> long`
        LoadHdrOpt = (142, "bpf_load_hdr_opt", (5, 10)),
        /// `(skops, from, len, flags) -> long`
        StoreHdrOpt = (143, "bpf_store_hdr_opt", (5, 10)),
        /// `(skops, len, flags) -> long`
        ReserveHdrOpt = (144, "bpf_reserve_hdr_opt", (5, 10)),
        /// `(map, inode, value, flags) -> void *`
        InodeStorageGet = (145, "bpf_inode_storage_get", (5, 10)),
        /// `(map, inode) -> int`
        InodeStorageDelete = (146, "bpf_inode_storage_delete", (5, 10)),
        /// `(path, buf, size) -> bytes with the NUL or -errno`: the name of a `struct path`.
        DPath = (147, "bpf_d_path", (5, 10)),
        /// `(dst, size, user_ptr) -> long`
        CopyFromUser = (148, "bpf_copy_from_user", (5, 10)),
        /// `(str, str_size, ptr, btf_ptr_size, flags) -> long`
        SnprintfBtf = (149, "bpf_snprintf_btf", (5, 10)),
        /// `(seq, btf_ptr, btf_ptr_size, flags) -> 0 or -errno`: a value as its type reads.
        SeqPrintfBtf = (150, "bpf_seq_printf_btf", (5, 10)),
        /// `(skb) -> u64`
        SkbCgroupClassid = (151, "bpf_skb_cgroup_classid", (5, 10)),
        /// `(ifindex, params, plen, flags) -> long`
        RedirectNeigh = (152, "bpf_redirect_neigh", (5, 10)),
        /// `(percpu_ptr, cpu) -> void *`
        PerCpuPtr = (153, "bpf_per_cpu_ptr", (5, 10)),
        /// `(percpu_ptr) -> void *`
        ThisCpuPtr = (154, "bpf_this_cpu_ptr", (5, 10)),
        /// `(ifindex, flags) -> long`
        RedirectPeer = (155, "bpf_redirect_peer", (5, 10)),
        /// `(map, task, value, flags) -> void *`
        TaskStorageGet = (156, "bpf_task_storage_get", (5, 11)),
        /// `(map, task) -> long`
        TaskStorageDelete = (157, "bpf_task_storage_delete", (5, 11)),
        /// `() -> struct task_struct *`
        GetCurrentTaskBtf = (158, "bpf_get_current_task_btf", (5, 11)),
        /// `(bprm, flags) -> long`
        BprmOptsSet = (159, "bpf_bprm_opts_set", (5, 11)),
        /// `() -> u64`
        KtimeGetCoarseNs = (160, "bpf_ktime_get_coarse_ns", (5, 11)),
        /// `(inode, dst, size) -> long`
        ImaInodeHash = (161, "bpf_ima_inode_hash", (5, 11)),
        /// `(file) -> struct socket * or NULL`
        SockFromFile = (162, "bpf_sock_from_file", (5, 11)),
        /// `(ctx, ifindex, mtu_len, len_diff, flags) -> long`
        CheckMtu = (163, "bpf_check_mtu", (5, 12)),
        /// `(map, callback_fn, callback_ctx, flags) -> long`
        ForEachMapElem = (164, "bpf_for_each_map_elem", (5, 13)),
        /// `(str, str_size, fmt, data, data_len) -> long`
        Snprintf = (165, "bpf_snprintf", (5, 13)),
        /// `(cmd, attr, attr_size) -> long`
        SysBpf = (166, "bpf_sys_bpf", (5, 14)),
        /// `(name, name_sz, kind, flags) -> long`
        BtfFindByNameKind = (167, "bpf_btf_find_by_name_kind", (5, 14)),
        /// `(fd) -> long`
        SysClose = (168, "bpf_sys_close", (5, 14)),
        /// `(timer, map, flags) -> long`
        TimerInit = (169, "bpf_timer_init", (5, 15)),
        /// `(timer, callback_fn) -> long`
        TimerSetCallback = (170, "bpf_timer_set_callback", (5, 15)),
        /// `(timer, nsecs, flags) -> long`
        TimerStart = (171, "bpf_timer_start", (5, 15)),
        /// `(timer) -> long`
        TimerCancel = (172, "bpf_timer_cancel", (5, 15)),
        /// `(ctx) -> u64`
        GetFuncIp = (173, "bpf_get_func_ip", (5, 15)),
        /// `(ctx) -> u64`
        GetAttachCookie = (174, "bpf_get_attach_cookie", (5, 15)),
        /// `(task) -> struct pt_regs *`: the registers a task has in user space.
        TaskPtRegs = (175, "bpf_task_pt_regs", (5, 15)),
        /// `(entries, size, flags) -> long`
        GetBranchSnapshot = (176, "bpf_get_branch_snapshot", (5, 16)),
        /// `(fmt, fmt_size, data, data_len) -> long`
        TraceVprintk = (177, "bpf_trace_vprintk", (5, 16)),
        /// `(sk) -> struct unix_sock *`
        SkcToUnixSock = (178, "bpf_skc_to_unix_sock", (5, 16)),
        /// `(name, name_sz, flags, res) -> long`
        KallsymsLookupName = (179, "bpf_kallsyms_lookup_name", (5, 16)),
        /// `(task, addr, callback_fn, callback_ctx, flags) -> long`
        FindVma = (180, "bpf_find_vma", (5, 17)),
        /// `(nr_loops, callback_fn, callback_ctx, flags) -> long`
        Loop = (181, "bpf_loop", (5, 17)),
        /// `(s1, s1_size, s2) -> like strncmp`; `s2` must be a read-only constant.
        Strncmp = (182, "bpf_strncmp", (5, 17)),
        /// `(ctx, n, value) -> long`
        GetFuncArg = (183, "bpf_get_func_arg", (5, 17)),
        /// `(ctx, value) -> long`
        GetFuncRet = (184, "bpf_get_func_ret", (5, 17)),
        /// `(ctx) -> long`
        GetFuncArgCnt = (185, "bpf_get_func_arg_cnt", (5, 17)),
        /// `() -> int`
        GetRetval = (186, "bpf_get_retval", (5, 18)),
        /// `(retval) -> int`
        SetRetval = (187, "bpf_set_retval", (5, 18)),
        /// `(xdp_md) -> u64`
        XdpGetBuffLen = (188, "bpf_xdp_get_buff_len", (5, 18)),
        /// `(xdp_md, offset, buf, len) -> long`
        XdpLoadBytes = (189, "bpf_xdp_load_bytes", (5, 18)),
        /// `(xdp_md, offset, buf, len) -> long`
        XdpStoreBytes = (190, "bpf_xdp_store_bytes", (5, 18)),
        /// `(dst, size, user_ptr, task, flags) -> 0 or -errno`: memory of a task; sleepable
        /// programs only.
        CopyFromUserTask = (191, "bpf_copy_from_user_task", (5, 18)),
        /// `(skb, tstamp, tstamp_type) -> long`
        SkbSetTstamp = (192, "bpf_skb_set_tstamp", (5, 18)),
        /// `(file, dst, size) -> long`
        ImaFileHash = (193, "bpf_ima_file_hash", (5, 18)),
        /// `(map_value, ptr) -> void *`
        KptrXchg = (194, "bpf_kptr_xchg", (5, 19)),
        /// `(map, key, cpu) -> void *`
        MapLookupPercpuElem = (195, "bpf_map_lookup_percpu_elem", (5, 19)),
        /// `(sk) -> struct mptcp_sock *`
        SkcToMptcpSock = (196, "bpf_skc_to_mptcp_sock", (5, 19)),
        /// `(data, size, flags, ptr) -> long`
        DynptrFromMem = (197, "bpf_dynptr_from_mem", (5, 19)),
        /// `(ringbuf, size, flags, ptr) -> long`
        RingbufReserveDynptr = (198, "bpf_ringbuf_reserve_dynptr", (5, 19)),
        /// `(ptr, flags)`
        RingbufSubmitDynptr = (199, "bpf_ringbuf_submit_dynptr", (5, 19)),
        /// `(ptr, flags)`
        RingbufDiscardDynptr = (200, "bpf_ringbuf_discard_dynptr", (5, 19)),
        /// `(dst, len, src, offset, flags) -> long`
        DynptrRead = (201, "bpf_dynptr_read", (5, 19)),
        /// `(dst, offset, src, len, flags) -> long`
        DynptrWrite = (202, "bpf_dynptr_write", (5, 19)),
        /// `(ptr, offset, len) -> void *`
        DynptrData = (203, "bpf_dynptr_data", (5, 19)),
        /// `(iph, th, th_len) -> s64`
        TcpRawGenSyncookieIpv4 = (204, "bpf_tcp_raw_gen_syncookie_ipv4", (6, 0)),
        /// `(iph, th, th_len) -> s64`
        TcpRawGenSyncookieIpv6 = (205, "bpf_tcp_raw_gen_syncookie_ipv6", (6, 0)),
        /// `(iph, th) -> long`
        TcpRawCheckSyncookieIpv4 = (206, "bpf_tcp_raw_check_syncookie_ipv4", (6, 0)),
        /// `(iph, th) -> long`
        TcpRawCheckSyncookieIpv6 = (207, "bpf_tcp_raw_check_syncookie_ipv6", (6, 0)),
        /// `() -> u64`
        KtimeGetTaiNs = (208, "bpf_ktime_get_tai_ns", (6, 1)),
        /// `(map, callback_fn, ctx, flags) -> long`
        UserRingbufDrain = (209, "bpf_user_ringbuf_drain", (6, 1)),
        /// `(map, cgroup, value, flags) -> void *`
        CgrpStorageGet = (210, "bpf_cgrp_storage_get", (6, 2)),
        /// `(map, cgroup) -> long`
        CgrpStorageDelete = (211, "bpf_cgrp_storage_delete", (6, 2)),
    }
}
