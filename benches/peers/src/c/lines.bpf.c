// Prints a line of each task: the numbers of its process and its own, and its name.

#define SEC(name) __attribute__((section(name), used))

struct seq_file;

static long (*const seq_printf)(struct seq_file *, const char *, unsigned int, const void *, unsigned int) =
	(void *)126;

struct task_struct {
	int pid;
	int tgid;
	char comm[16];
} __attribute__((preserve_access_index));

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

static const char format[] = "%d %d %s\n";

SEC("iter/task")
int lines(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	unsigned long long arguments[] = { task->tgid, task->pid, (unsigned long)task->comm };
	seq_printf(ctx->meta->seq, format, sizeof(format), arguments, sizeof(arguments));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
