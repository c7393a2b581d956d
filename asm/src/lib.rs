//! BPF instructions: what they mean, their bytes, and an eDSL that emits them.
