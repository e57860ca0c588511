// SPDX-License-Identifier: MIT
/* One fault in one system call of a program, for tests that run thousands of
 * them: "strace -e inject" costs more than most programs that it runs.
 *
 *	fault SECONDS CALL WHEN error=NAME|signal=KILL PROGRAM [ARG]...
 *
 * CALL is the number of a system call, as "strace -n" prints it. Its WHENth
 * call is not made: it returns the error, or the program is killed there. A
 * program that has not ended after SECONDS is killed. The status is the
 * program's, as a shell has it; 125 is a failure of this one.
 *
 * Of all system calls the kernel tells us of this one alone: of seccomp(2) see
 * SECCOMP_RET_USER_NOTIF.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct {
	const char *fault;
	int error;	/* 0: it is killed */
} faults[] = {
	{ "signal=KILL", 0 },
	{ "error=EAGAIN", EAGAIN },
	{ "error=EINTR", EINTR },
	{ "error=ENOBUFS", ENOBUFS },
	{ "error=ENOMEM", ENOMEM },
	{ "error=ENOSPC", ENOSPC },
	{ "error=EPERM", EPERM },
};

static void die(const char *what)
{
	fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Become the program. The descriptor of the filter must be @listener, which is
 * the parent's too: it could not be sent when sendmsg(2) is what stops.
 */
static void run(char **argv, unsigned int call, int listener)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog) != listener)
		_exit(125);
	execvp(argv[0], argv);
	_exit(127);
}

/* The program is a child with our descriptors until it has begun. */
static pid_t begin(char **argv, unsigned int call, int *listener)
{
	struct clone_args args = { .flags = CLONE_FILES | CLONE_VFORK,
				   .exit_signal = SIGCHLD };
	long pid;

	/* The next free one. */
	*listener = dup(0);
	if (*listener < 0 || close(*listener))
		die("dup");
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		die("clone3");
	if (!pid)
		run(argv, call, *listener);
	return (pid_t)pid;
}

/* Answer for the call that has stopped; @error is 0 if it is to be made. */
static void answer(int listener, int error)
{
	struct seccomp_notif_resp resp = { .error = -error };
	struct seccomp_notif notif = { 0 };

	/* The one who made it may have been killed. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif))
		return;
	resp.id = notif.id;
	if (!error)
		resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	unsigned long n = 0, when;
	size_t f = 0;
	int status, error;
	long long end;
	pid_t pid;

	if (argc < 6)
		return 125;
	while (f < sizeof(faults) / sizeof(faults[0]) &&
	       strcmp(faults[f].fault, argv[4]) != 0)
		f++;
	if (f == sizeof(faults) / sizeof(faults[0]))
		return 125;
	error = faults[f].error;
	end = now_ms() + atoi(argv[1]) * 1000LL;
	when = strtoul(argv[3], NULL, 10);
	pid = begin(argv + 5, (unsigned int)atoi(argv[2]), &fds[0].fd);
	fds[1].fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fds[1].fd < 0)
		die("pidfd_open");
	while (!fds[1].revents && now_ms() < end) {
		if (poll(fds, 2, (int)(end - now_ms())) <= 0)
			continue;
		/* An answer could make the call, before it dies. */
		if (fds[0].revents & POLLIN && ++n == when && !error)
			break;
		if (fds[0].revents & POLLIN)
			answer(fds[0].fd, n == when ? error : 0);
		/* The program has ended. */
		if (fds[0].revents & POLLHUP)
			fds[0].fd = -1;
	}
	if (!fds[1].revents)
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}
