/* From the kernel's initial stack (argc, argv, 0, envp, 0, auxv) to main(). */
#include "program.h"

static struct thread main_thread;
static size_t page_bytes;

size_t page_size(void)
{
	return page_bytes;
}

_Noreturn void start(long *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	char **envp = argv + argc + 1;
	while (*envp)
		envp++;
	for (long *aux = (long *)(envp + 1); aux[0] != AT_NULL; aux += 2)
		if (aux[0] == AT_PAGESZ)
			page_bytes = (size_t)aux[1];

	thread_start(&main_thread, 0);
	long result = arch_set_thread_pointer(&main_thread);
	check(result == 0, "setting the thread pointer returned %ld", result);
	check(page_bytes >= 4096 && (page_bytes & (page_bytes - 1)) == 0, "auxv: no valid AT_PAGESZ");
	sys_exit_group(main(argc, argv));
}
