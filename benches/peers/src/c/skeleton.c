// Counts the tasks with the light skeleton of count.bpf.c.

#include <errno.h> // which the skeleton does not include
#include <stdio.h>
#include <unistd.h>

#include "count.lskel.h"

int main(void)
{
	struct count_bpf *skeleton = count_bpf__open_and_load();
	char buffer[32 << 10];
	ssize_t length;

	if (!skeleton || count_bpf__attach(skeleton))
		return 1;

	union bpf_attr attr = { .iter_create.link_fd = skeleton->links.count_tasks_fd };
	int iter = skel_sys_bpf(BPF_ITER_CREATE, &attr, sizeof(attr.iter_create));

	if (iter < 0)
		return 1;
	while ((length = read(iter, buffer, sizeof(buffer))) > 0)
		;
	printf("%llu\n", skeleton->bss->count);
	return length < 0;
}
