//! Reads the BPF Type Format (BTF) where it lies, without copying it.
