//! BPF iterator programs, written against the running kernel's own types.
