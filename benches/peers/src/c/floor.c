// Runs an iterator program whose instructions are known beforehand, and writes out what it gives: without a C library, and
// with the system calls alone that this takes. Of the kernel's types it only looks for the function to attach to.

#include <asm/unistd.h>
#include <linux/bpf.h>
#include <linux/btf.h>

#include "floor.h" // INSNS: the instructions as numbers; TARGET: the function's name

#define O_RDONLY 0
#define SEEK_END 2
#define PROT_READ 1
#define MAP_PRIVATE 2

static long call6(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#else
#error "no system calls are known for this machine"
#endif
}

#define call3(number, a, b, c) call6(number, (long)(a), (long)(b), (long)(c), 0, 0, 0)

static _Noreturn void leave(int status)
{
	for (;;)
		call3(__NR_exit_group, status, 0, 0);
}

static long good(long result)
{
	if (result < 0)
		leave(1);
	return result;
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

// How much of a type follows its first three words.
static unsigned int beyond(unsigned int kind, unsigned int length)
{
	switch (kind) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return length * 12;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return length * 8;
	default:
		return 0;
	}
}

static unsigned int function(const char *name)
{
	long fd = good(call3(__NR_openat, -100, "/sys/kernel/btf/vmlinux", O_RDONLY));
	long size = good(call3(__NR_lseek, fd, 0, SEEK_END));
	const char *data = (const char *)good(call6(__NR_mmap, 0, size, PROT_READ, MAP_PRIVATE, fd, 0));
	const struct btf_header *header = (const void *)data;
	const char *at = data + header->hdr_len + header->type_off;
	const char *strings = data + header->hdr_len + header->str_off;

	for (unsigned int id = 1; at < data + header->hdr_len + header->type_off + header->type_len; id++) {
		const struct btf_type *type = (const void *)at;
		unsigned int kind = BTF_INFO_KIND(type->info);

		if (kind == BTF_KIND_FUNC && same(strings + type->name_off, name))
			return id;
		at += sizeof(*type) + beyond(kind, BTF_INFO_VLEN(type->info));
	}
	leave(1);
}

static long bpf(int command, union bpf_attr *attr, unsigned int size)
{
	return good(call3(__NR_bpf, command, attr, size));
}

void _start(void)
{
	static const unsigned long long insns[] = { INSNS };
	static char buffer[32 << 10];
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_TRACING,
		.insn_cnt = sizeof(insns) / sizeof(*insns),
		.insns = (unsigned long)insns,
		.license = (unsigned long)"Dual MIT/GPL",
		.expected_attach_type = BPF_TRACE_ITER,
		.attach_btf_id = function(TARGET),
	};
	union bpf_attr link = { .link_create.attach_type = BPF_TRACE_ITER };
	union bpf_attr iter = { 0 };
	long fd, length;

	link.link_create.prog_fd = bpf(BPF_PROG_LOAD, &load, 128);
	iter.iter_create.link_fd = bpf(BPF_LINK_CREATE, &link, sizeof(link.link_create));
	fd = bpf(BPF_ITER_CREATE, &iter, sizeof(iter.iter_create));
	while ((length = good(call3(__NR_read, fd, buffer, sizeof(buffer)))) > 0)
		good(call3(__NR_write, 1, buffer, length));
	leave(0);
}
