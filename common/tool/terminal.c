// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tool/terminal.h"

/* Another screen without cursor, and back. */
#define ENTER "\33[?1049h\33[?25l\33[H\33[J"
#define LEAVE "\33[?25h\33[?1049l"

static volatile sig_atomic_t leaving, resized;

static void on_signal(int number)
{
	if (number == SIGWINCH)
		resized = 1;
	else
		leaving = 1;
}

static void put(const char *text)
{
	fputs(text, stdout);
}

bool terminal_begin(struct terminal *t)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
	struct sigaction act = { .sa_handler = on_signal };
	struct termios raw;
	sigset_t block;
	size_t i;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &t->was))
		return false;
	/* They come while it waits, or not at all: none is missed. */
	sigemptyset(&block);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaction(signals[i], &act, NULL);
		sigaddset(&block, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &block, &t->waiting);
	raw = t->was;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	/* Stopped, it would leave the terminal so. */
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	t->rows = t->columns = 0;
	put(ENTER);
	fflush(stdout);
	return true;
}

void terminal_end(struct terminal *t)
{
	put(LEAVE);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &t->was);
}

/* A terminal that does not say how large it is. */
static void measure(struct terminal *t)
{
	struct winsize size = { 0 };
	unsigned int rows = 24, columns = 80;

	resized = 0;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row &&
	    size.ws_col) {
		rows = size.ws_row;
		columns = size.ws_col;
	}
	if (rows > TERMINAL_ROWS_MAX)
		rows = TERMINAL_ROWS_MAX;
	if (rows == t->rows && columns == t->columns)
		return;
	t->rows = rows;
	t->columns = columns;
	memset(t->shown, 0, sizeof(t->shown));
	put("\33[H\33[J");
}

/* Copy as much of a line as has room in the columns; colours take none. */
static void clip(const char *line, size_t len, unsigned int columns,
		 char out[TERMINAL_LINE_MAX])
{
	static const char plain[] = "\33[0m";
	size_t i, n = 0;
	bool in_escape = false;

	for (i = 0; i < len && n + sizeof(plain) < TERMINAL_LINE_MAX; i++) {
		if (line[i] == '\33')
			in_escape = true;
		else if (!in_escape && !columns--)
			break;
		else if (in_escape && line[i] == 'm')
			in_escape = false;
		out[n++] = line[i];
	}
	strcpy(out + n, i < len ? plain : "");
}

static void show_line(struct terminal *t, unsigned int row, const char *line,
		      size_t len)
{
	char text[TERMINAL_LINE_MAX];

	clip(line, len, t->columns, text);
	if (!strcmp(text, t->shown[row]))
		return;
	strcpy(t->shown[row], text);
	printf("\33[%u;1H%s\33[K", row + 1, text);
}

void terminal_draw(struct terminal *t, const char *text)
{
	static const char more[] = "... (the window is too small for more)";
	unsigned int row;
	size_t len;

	measure(t);
	for (row = 0; row < t->rows; row++) {
		len = strcspn(text, "\n");
		if (row + 1 == t->rows && text[len] && text[len + 1])
			show_line(t, row, more, sizeof(more) - 1);
		else
			show_line(t, row, text, len);
		text += len + (text[len] == '\n');
	}
	fflush(stdout);
}

bool terminal_wait(struct terminal *t, int fd, int ms)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};
	struct timespec limit = { ms / 1000, ms % 1000 * 1000000L };
	char key = 'q';

	if (!leaving && !resized &&
	    ppoll(fds, 2, &limit, &t->waiting) > 0 && fds[0].revents &&
	    (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
		leaving = 1;
	return !leaving;
}

bool terminal_may_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && *term &&
	       strcmp(term, "dumb");
}
