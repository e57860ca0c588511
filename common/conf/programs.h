/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_PROGRAMS_H
#define MWAN_CONF_PROGRAMS_H

#include <stdbool.h>

/* The programs started after an event, see mwan-rules(8), Programs. */
#define PROGRAMS_DIR "/etc/ppp/mwan.d"

enum {
	PROGRAMS_MAX = 32,
	PROGRAM_NAME = 64,
};

/* Why a file there is not started. */
enum program_fault {
	PROGRAM_FINE,
	PROGRAM_NAMED_ODDLY,	/* not of letters, digits, '_' and '-' alone */
	PROGRAM_NOT_EXECUTABLE,
	PROGRAM_NOT_ROOTS,	/* another user owns it, or could write to it */
};

struct programs {
	bool unsafe;		/* so it is with the directory: none is started */
	unsigned int n;
	struct program {
		char name[PROGRAM_NAME];
		enum program_fault fault;
	} program[PROGRAMS_MAX];
};

/* List the directory, opened as @dir, which is closed. Subdirectories, hidden
 * files and what there is no room for are left out.
 */
void programs_read(struct programs *p, int dir);

#endif
