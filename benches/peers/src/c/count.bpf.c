// Counts the tasks, and prints nothing.

#define SEC(name) __attribute__((section(name), used))

struct task_struct;

struct bpf_iter__task {
	struct task_struct *task;
} __attribute__((preserve_access_index));

unsigned long long count = 0;

SEC("iter/task")
int count_tasks(struct bpf_iter__task *ctx)
{
	if (ctx->task)
		count++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
