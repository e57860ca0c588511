/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_TERMINAL_H
#define MWAN_TOOL_TERMINAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

enum {
	TERMINAL_ROWS_MAX = 300,
	TERMINAL_LINE_MAX = 400,	/* bytes, with escape sequences */
};

/* A terminal that shows text which changes, see terminal_begin(). Large. */
struct terminal {
	struct termios was;
	sigset_t waiting;		/* the signals that may come then */
	unsigned int rows, columns;	/* as of the last drawing */
	/* The lines that it shows, so that only changed ones are sent to it. */
	char shown[TERMINAL_ROWS_MAX][TERMINAL_LINE_MAX];
};

/* Take standard input and output, which must be one: no echo, another screen, no
 * cursor. SIGINT, SIGTERM, SIGHUP and SIGWINCH end terminal_wait(). Returns
 * false, and changes nothing, where it is no terminal.
 */
bool terminal_begin(struct terminal *t);

/* Give it back as it was. */
void terminal_end(struct terminal *t);

/* Show lines of text with colours (escape sequences that end in 'm'), cut to the
 * terminal's size; the last one that fits says that there are more.
 */
void terminal_draw(struct terminal *t, const char *text);

/* Wait for @ms, or until @fd (-1: none) can be read or the size has changed.
 * False: somebody wants to leave (q, ^C, a signal, the end of the input).
 */
bool terminal_wait(struct terminal *t, int fd, int ms);

/* Is standard output to have colours? Only a terminal, unless it cannot or the
 * user does not want it (no-color.org). Reads the environment.
 */
bool terminal_may_colour(void);

#endif
